"""Inputs that nobody may read, in a box: whoever takes a request closes it, a worker opens it.

The lid is a sealed box of libsodium for the workers' public key: the process that closed the box cannot open it again,
so it may be kept, and be used for another run. Where the workers have no key, the portal's SECRET_KEY takes its place:
every process of the portal has that one, and what it closed is wiped when its run ends.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import WorkerKey

# PyNaCl and cryptography are imported where they are used: a worker without sensitive inputs needs neither.
if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: How a box for the workers' key begins; its key's fingerprint and the sealed box follow.
_MARK = b"box1"

#: Hexadecimal digits of a key's fingerprint, and of an input's; of the latter pages show the first few.
FINGERPRINT_DIGITS = 16
SHOWN_DIGITS = 8

#: Gives the private key of this fingerprint, or None.
PrivateKeyOf = Callable[[str], bytes | None]


class CannotOpen(Exception):
    """A box that this process cannot open, or whose content is not what its run says of it."""


@dataclass(frozen=True, slots=True)
class Box:
    content: bytes
    #: What may be told of each input in it: {"fingerprint"}, of a secret {"length"} in characters, of what was left empty
    #: {"empty": True}. The same value in
    #: another box has another fingerprint: nobody may find it by trying.
    facts: dict[str, dict[str, Any]]

    @property
    def lasting(self) -> bool:
        """Whether it can only be opened by a worker, and so may be kept."""
        return self.content.startswith(_MARK)


@dataclass(frozen=True, slots=True)
class Opened:
    data: dict[str, Any]
    #: The values of the secrets among them, that must not be told in the log, either.
    secrets: list[str]


def close(
    db: Session, secret_key: str, class_path: str, data: Mapping[str, Any], secret_names: Collection[str]
) -> Box:
    """Put these inputs of a job into a box. secret_names: those that must not be told in the log, either."""
    salt = secrets.token_hex(16)
    facts = {name: _facts(salt, name, value, secret=name in secret_names) for name, value in data.items()}
    content = {"job": class_path, "data": dict(data), "secrets": list(secret_names), "salt": salt}
    payload = json.dumps(content).encode()
    key = current_key(db)
    sealed = _cipher(secret_key).encrypt(payload) if key is None else _sealed(key.public_key, payload)
    return Box(sealed, facts)


def open_box(
    content: bytes,
    *,
    class_path: str,
    facts: Mapping[str, Any],
    private_key_of: PrivateKeyOf,
    secret_key: str,
) -> Opened:
    """Return what is in the box of a run. Raises CannotOpen, also where it is not the box its row tells of."""
    if content.startswith(_MARK):
        payload = _unsealed(content, private_key_of)
    else:
        payload = _decrypted(content, secret_key)
    found = json.loads(payload)
    told = {name: fact["fingerprint"] for name, fact in facts.items()}
    if found.get("job") != class_path or told != _fingerprints(found):
        raise CannotOpen("The sealed inputs of this run are not those that were sealed for it.")
    data: dict[str, Any] = found["data"]
    return Opened(data, [str(data[name]) for name in found["secrets"] if data.get(name)])


def reseal(content: bytes, key: WorkerKey, private_key_of: PrivateKeyOf) -> bytes:
    """Return the same box for another key. Raises CannotOpen."""
    return _sealed(key.public_key, _unsealed(content, private_key_of))


# --- the workers' keys -------------------------------------------------------------------------------------------


def current_key(db: Session) -> WorkerKey | None:
    """Return the key that boxes are closed with; None: the workers have none."""
    query = select(WorkerKey).where(WorkerKey.retired_at.is_(None)).order_by(WorkerKey.id.desc()).limit(1)
    return db.scalars(query).one_or_none()


def fingerprint_of_key(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:FINGERPRINT_DIGITS]


def boxes_of(fingerprint: str) -> bytes:
    """Return how every box for this key begins."""
    return _MARK + bytes.fromhex(fingerprint)


# --- lids --------------------------------------------------------------------------------------------------------


def _sealed(public_key: bytes, payload: bytes) -> bytes:
    from nacl.public import PublicKey, SealedBox

    return boxes_of(fingerprint_of_key(public_key)) + SealedBox(PublicKey(public_key)).encrypt(payload)


def _unsealed(content: bytes, private_key_of: PrivateKeyOf) -> bytes:
    from nacl.exceptions import CryptoError
    from nacl.public import PrivateKey, SealedBox

    start = len(_MARK) + FINGERPRINT_DIGITS // 2
    fingerprint = content[len(_MARK) : start].hex()
    key = private_key_of(fingerprint)
    if key is None:
        raise CannotOpen(
            f"The inputs of this run are sealed for the worker key {fingerprint}, which its worker does not have."
        )
    try:
        return SealedBox(PrivateKey(key)).decrypt(content[start:])
    except CryptoError as error:
        raise CannotOpen("The sealed inputs of this run were altered.") from error


def _decrypted(content: bytes, secret_key: str) -> bytes:
    from cryptography.fernet import InvalidToken

    try:
        return _cipher(secret_key).decrypt(content)
    except InvalidToken as error:
        raise CannotOpen(
            "The inputs of this run cannot be opened: its worker has another SECRET_KEY than the web server."
        ) from error


def _cipher(secret_key: str) -> "Fernet":
    from cryptography.fernet import Fernet

    # A key of its own, derived: what signs cookies must not also open inputs.
    key = hmac.digest(secret_key.encode(), b"errand sealed inputs", "sha256")
    return Fernet(base64.urlsafe_b64encode(key))


def _facts(salt: str, name: str, value: Any, *, secret: bool) -> dict[str, Any]:
    # How long another input is may say all of it: "prod" or "test". That it was left empty says no more than a form.
    told: dict[str, Any] = {"length": len(str(value))} if secret else {}
    if value in (None, "", []):
        told = {"empty": True}
    return {**told, "fingerprint": _fingerprint(salt, name, value)}


def _fingerprints(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: _fingerprint(found["salt"], name, value) for name, value in found["data"].items()}


def _fingerprint(salt: str, name: str, value: Any) -> str:
    said = json.dumps([salt, name, value], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:FINGERPRINT_DIGITS]
