"""Passwords and tokens: how they are made, kept and compared."""

import functools
import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from store.common_passwords import is_common

# argon2 is imported where it is used: a worker needs none of its memory.
if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 128

#: Compared against when there is no user or no password, so that both cases take the same time.
_NOBODY: list[str] = []


class WeakPassword(ValueError):
    """A password that is not accepted, as a sentence for the person who typed it."""


def hash_password(password: str) -> str:
    return _hasher().hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Compare in the same time whether or not there is such a user or password."""
    if is_bcrypt(password_hash):
        return _fits_bcrypt(str(password_hash), password)
    from argon2.exceptions import InvalidHashError, VerificationError

    if not _NOBODY:
        _NOBODY.append(_hasher().hash(secrets.token_hex(16)))
    try:
        matches = _hasher().verify(password_hash or _NOBODY[0], password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


def is_bcrypt(password_hash: str | None) -> bool:
    """Tell whether a hash came from an htpasswd file (see webapp.bots.htpasswd); ours are Argon2's."""
    return bool(re.fullmatch(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}", password_hash or ""))


def _fits_bcrypt(password_hash: str, password: str) -> bool:
    import bcrypt

    # It has never read more than 72 bytes.
    return bcrypt.checkpw(password.encode("utf-8", "surrogatepass")[:72], password_hash.encode())


def check_password_rules(password: str, username: str = "") -> None:
    """Raise WeakPassword unless the password is long enough, not the user's name and not a common one (ASVS 6.2)."""
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"Use at least {SHORTEST_PASSWORD} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise WeakPassword(f"Use at most {LONGEST_PASSWORD} characters.")
    if username and username.lower() in password.lower() and len(password) < len(username) + 8:
        raise WeakPassword("Use a password that is not built from the user's name.")
    if len(set(password)) < 4:
        raise WeakPassword("Use more than three different characters.")
    if is_common(password):
        raise WeakPassword(
            "Use a password that others do not think of first: this one is made of common words or rows of keys."
        )


def new_token(prefix: str) -> tuple[str, str]:
    """Make a token of 256 random bits; return it and the hash to keep."""
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    return token, hash_token(token)


def hash_token(token: str) -> str:
    # A fast hash will do: nobody can guess 256 random bits.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()
