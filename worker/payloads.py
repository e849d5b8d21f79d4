"""What a request says, made safe: the facts that rules and references may speak of."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from store.text import clean_json, clean_text

DEEPEST = 50
MOST_HEADERS, LONGEST_HEADER = 60, 500

#: Whole numbers up to here are the same to every database and program; larger ones are taken as text.
LARGEST_NUMBER = 2**63

_SECRET_HEADER = re.compile(
    r"auth|cookie|token|secret|signature|password|credential|api-?key|access-?key|session", re.IGNORECASE
)


class BadPayload(Exception):
    """A body that says nothing, as a sentence."""


class Headers(Mapping[str, str]):
    """Headers by their names, whose upper and lower case are the same."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): (name, value) for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._headers.values())

    def __len__(self) -> int:
        return len(self._headers)


def may_hold_secret(header: str) -> bool:
    """Tell whether a header may hold what lets somebody in: it is never kept, and no rule looks at it."""
    return _SECRET_HEADER.search(header) is not None


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what may be remembered of headers."""
    kept = {
        clean_text(name)[:100]: clean_text(value)[:LONGEST_HEADER]
        for name, value in headers.items()
        if not may_hold_secret(name)
    }
    return dict(list(kept.items())[:MOST_HEADERS])


def facts_of_delivery(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return what references of OF_DELIVERY are looked up in. Raises BadPayload."""
    kept = Headers(kept_headers(headers))
    return {"payload": _payload(body, kept.get("Content-Type", "")), "headers": kept}


def _payload(body: bytes, content_type: str) -> Any:
    """Return what a body says; {} for an empty one. Raises BadPayload."""
    text = body.strip()
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        # What GitHub sends when nobody chose otherwise.
        text = _in_form(text)
    try:
        payload = json.loads(text or b"{}", parse_constant=_refuse, parse_int=_whole, parse_float=_number)
    except RecursionError:
        raise BadPayload(f"The body is nested more than {DEEPEST} levels deep.") from None
    except ValueError:
        raise BadPayload("The body is not JSON.") from None
    if _is_too_deep(payload):
        raise BadPayload(f"The body is nested more than {DEEPEST} levels deep.")
    return clean_json(payload)


def _in_form(text: bytes) -> bytes:
    try:
        fields = parse_qs(text.decode("ascii"), max_num_fields=20)
    except ValueError:
        fields = {}
    # curl calls whatever it sends a form.
    return fields["payload"][0].encode("utf-8", "replace") if "payload" in fields else text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _whole(digits: str) -> int | str:
    if len(digits) > 20 or abs(number := int(digits)) >= LARGEST_NUMBER:
        return digits
    return number


def _number(digits: str) -> float | str:
    return number if math.isfinite(number := float(digits)) else digits


def _is_too_deep(payload: Any) -> bool:
    level = [payload]
    for _ in range(DEEPEST):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
