"""Signatures of requests, by HMAC with SHA-1."""

import hmac
import time


class InvalidHMAC(Exception):
    """A signature that does not fit, or that is too old."""


def generate_hmac(msg: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, msg, "sha1").hexdigest().encode()


def validate_hmac(msg: bytes, secret: bytes, signature: bytes, max_age: float | None = None) -> None:
    """Raise InvalidHMAC for a signature that is not that of the message; with max_age also for one of long ago.

    max_age: so many seconds ago may be what the message then is: a time in seconds since 1970.
    """
    if not hmac.compare_digest(generate_hmac(msg, secret), signature):
        raise InvalidHMAC("The signature does not match.")
    if max_age is None:
        return
    try:
        age = time.time() - float(msg)
    except ValueError:
        raise InvalidHMAC("The message is no time.") from None
    if not age <= max_age:
        raise InvalidHMAC("The signature has expired.")
