"""Whether a request was signed by who knows the secret: in GitHub's way, or with a time, so that it is soon too old."""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence

#: How old, or ahead of our clock, a signature with a time may be.
WINDOW_SECONDS = 300

#: {form: how it is called}
FORMS = {"generic": "With a time", "github": "As GitHub"}

_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_IN_ONE_HEADER = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


class BadSignature(Exception):
    """Why a request is not from whom it should be, as a sentence."""


def by_github(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes]) -> str:
    """Check X-Hub-Signature-256, and return the SHA-256 of what it signs: the body. Raises BadSignature."""
    given = _SHA256.fullmatch(headers.get("X-Hub-Signature-256", ""))
    if given is None:
        raise BadSignature("There is no X-Hub-Signature-256 of the form sha256=<64 hex digits>.")
    return _checked(body, given[1], secrets)


def with_time(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes]) -> str:
    """Check X-Errand-Signature over X-Errand-Timestamp, a dot and the body; return the SHA-256 of these. Raises BadSignature."""
    seconds = headers.get("X-Errand-Timestamp", "")
    given = _SHA256.fullmatch(headers.get("X-Errand-Signature", ""))
    if _SECONDS.fullmatch(seconds) is None:
        raise BadSignature("There is no X-Errand-Timestamp with the seconds since 1970.")
    if given is None:
        raise BadSignature("There is no X-Errand-Signature of the form sha256=<64 hex digits>.")
    return _checked_in_time(seconds, body, given[1], secrets)


def in_one_header(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes]) -> str:
    """Check X-Errand-Signature of the form `t=<seconds>,v1=<hex digits>`; otherwise like `with_time`."""
    given = _IN_ONE_HEADER.fullmatch(headers.get("X-Errand-Signature", ""))
    if given is None:
        raise BadSignature("There is no X-Errand-Signature of the form t=<seconds>,v1=<64 hex digits>.")
    return _checked_in_time(given[1], body, given[2], secrets)


def _checked_in_time(seconds: str, body: bytes, given: str, secrets: Sequence[bytes]) -> str:
    digest = _checked(seconds.encode() + b"." + body, given, secrets)
    if abs(time.time() - int(seconds)) > WINDOW_SECONDS:
        raise BadSignature(
            f"Its time is off by more than {WINDOW_SECONDS // 60} minutes: it is old, or a clock is wrong."
        )
    return digest


def _checked(signed: bytes, given: str, secrets: Sequence[bytes]) -> str:
    fits = False
    for secret in secrets:
        # All of them, each in the same time: nothing is told by how long it takes. An empty secret signs nothing.
        right = hmac.digest(secret or b"\0", signed, "sha256").hex()
        fits |= hmac.compare_digest(right, given) and bool(secret)
    if not fits:
        raise BadSignature("The signature is wrong: it was made with another secret, or of another body.")
    return hashlib.sha256(signed).hexdigest()
