"""What the portal itself has to use and nobody may read: addresses and secrets of channels, logins of
git repositories, links on their way.

Each is encrypted with a key made of SECRET_KEY, which every process of the portal has, and no database.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

# cryptography is imported where it is used: most processes never need it.
if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class CannotUnlock(Exception):
    """It was locked with another SECRET_KEY, or altered; a sentence."""


def lock(secret_key: str, content: Mapping[str, Any]) -> bytes:
    return _cipher(secret_key).encrypt(json.dumps(dict(content)).encode())


def unlock(secret_key: str, box: bytes | None) -> dict[str, Any]:
    """Return what was locked; {} for nothing. Raises CannotUnlock."""
    from cryptography.fernet import InvalidToken

    if box is None:
        return {}
    try:
        content: dict[str, Any] = json.loads(_cipher(secret_key).decrypt(box))
    except InvalidToken as error:
        raise CannotUnlock(
            "Its secrets were stored with another SECRET_KEY and cannot be read. Enter them again."
        ) from error
    return content


def _cipher(secret_key: str) -> "Fernet":
    from cryptography.fernet import Fernet

    # A key of its own: what signs cookies, or seals inputs, opens none of these.
    key = hmac.digest(secret_key.encode(), b"errand lockbox", "sha256")
    return Fernet(base64.urlsafe_b64encode(key))
