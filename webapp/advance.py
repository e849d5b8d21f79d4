"""How far a run is, as pages show it."""

import zlib
from dataclasses import dataclass

from store.models import JobResult, Status

#: Before so much of it is done, and before so many seconds, what a run has done says little of what it will need.
LEAST_SHARE = 0.05
LEAST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Advance:
    """What its job says, and how long it may still take."""

    #: None: the job does not know how much there is to do.
    percent: int | None
    text: str
    left_seconds: float | None


def advance(result: JobResult, usual_seconds: float | None = None) -> Advance | None:
    """Return how far a running result is; None where neither its job nor earlier runs tell."""
    if result.status != Status.RUNNING or result.started_at is None:
        return None
    said = result.progress or {}
    share = said["done"] / said["total"] if said.get("total") else None
    left = _left(result.duration_seconds or 0.0, share, usual_seconds)
    if not said and left is None:
        return None
    return Advance(None if share is None else int(100 * share), _words(said), left)


def mark(result: JobResult) -> str:
    """Return what the bar depends on, in short."""
    return f"{zlib.crc32(repr(result.progress).encode()):x}" if result.progress else ""


def _words(said: dict[str, object]) -> str:
    if said.get("text") or not said:
        return str(said.get("text", ""))
    return f"{said['done']:g} of {said['total']:g}" if said.get("total") else f"{said['done']:g} done"


def _left(seconds: float, share: float | None, usual_seconds: float | None) -> float | None:
    if share is not None and share >= LEAST_SHARE and seconds >= LEAST_SECONDS:
        return seconds * (1 - share) / share
    if usual_seconds is None or usual_seconds <= seconds:
        return None
    return usual_seconds - seconds
