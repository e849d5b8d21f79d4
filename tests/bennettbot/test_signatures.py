"""What job files find as `bennettbot.signatures`."""

import hashlib
import hmac
import time

import pytest

from jobs.shims.served.bennettbot.signatures import InvalidHMAC, generate_hmac, validate_hmac


def test_signatures_are_compared_and_may_be_too_old():
    def signed(message: bytes, secret: bytes = b"secret") -> bytes:
        return hmac.new(secret, message, hashlib.sha1).hexdigest().encode()

    assert generate_hmac(b"x", b"secret") == signed(b"x")
    validate_hmac(b"x", b"secret", signed(b"x"))
    moment = str(time.time()).encode()
    validate_hmac(moment, b"secret", signed(moment), max_age=60)
    for message, signature, age in (
        (b"x", signed(b"x", b"other"), None),
        (b"x", signed(b"x"), 60),
        (b"nan", signed(b"nan"), 60),
        (b"1", signed(b"1"), 60),
    ):
        with pytest.raises(InvalidHMAC):
            validate_hmac(message, b"secret", signature, age)
