"""Secrets that the portal itself uses, encrypted in its database with a key that is made of SECRET_KEY."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

# Imported where it is used: most processes never open one.
if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class CannotUnlock(Exception):
    """What was locked with another SECRET_KEY, as a sentence."""


def lock(secret_key: str, values: Mapping[str, str]) -> bytes:
    return _cipher(secret_key).encrypt(json.dumps(dict(values)).encode())


def unlock(secret_key: str, content: bytes | None) -> dict[str, str]:
    """Return what was locked; {} for nothing. Raises CannotUnlock."""
    from cryptography.fernet import InvalidToken

    if content is None:
        return {}
    try:
        found: dict[str, str] = json.loads(_cipher(secret_key).decrypt(content))
    except InvalidToken as error:
        raise CannotUnlock(
            "Its secrets were stored with another SECRET_KEY and cannot be read. Enter them again."
        ) from error
    return found


def _cipher(secret_key: str) -> "Fernet":
    from cryptography.fernet import Fernet

    # A key of its own, derived: what signs cookies must not also open this.
    key = hmac.digest(secret_key.encode(), b"errand locked secrets", "sha256")
    return Fernet(base64.urlsafe_b64encode(key))
