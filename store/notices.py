"""The words for what people may be told of, and what they are told if they have said nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from store.models import Status, User

#: How a run ended, in the words of wishes: {word: what people read}.
OUTCOMES: Mapping[str, str] = {
    "completed": "Completed",
    "warnings": "Completed with warnings",
    "failed": "Failed",
    "errored": "Errored",
    "canceled": "Canceled",
    "denied": "Denied",
}
ASKED, DECIDED, MISSED, OUTPUT = "asked", "decided", "missed", "output"

#: What else there is to tell.
OTHER: Mapping[str, str] = {
    OUTPUT: "Has something to report",
    ASKED: "An approval is asked for",
    DECIDED: "A request was decided",
    MISSED: "A schedule missed runs, or cannot run",
}

#: What concerns somebody by itself: their runs, the requests they may decide on, their schedules. Of a denied run
#: its decision tells.
OWN: Mapping[str, str] = {
    **{word: f"My run: {text.lower()}" for word, text in OUTCOMES.items() if word != "denied"},
    OUTPUT: "My run has something to report",
    ASKED: "A run waits that I may approve",
    DECIDED: "My request was decided",
    MISSED: "My schedule missed runs, or cannot run",
}

#: What a place outside may be told.
FOR_CHANNELS: Mapping[str, str] = {**OUTCOMES, **OTHER}

#: Ways to tell a person.
WAYS: Mapping[str, str] = {"browser": "Browser", "mail": "Mail"}

#: What those are told who have said nothing: what waits for them.
UNSAID: Mapping[str, Sequence[str]] = {"browser": (ASKED, DECIDED), "mail": (ASKED, DECIDED, MISSED)}

#: When somebody wants to be told of a job's or a schedule's runs.
BAD = ("failed", "errored", MISSED)
WHEN: Mapping[str, Sequence[str]] = {"bad": BAD, "any": (*OUTCOMES, MISSED), OUTPUT: (OUTPUT,)}
WHEN_WORDS: Mapping[str, str] = {
    "any": "whenever a run ends",
    "bad": "when one fails",
    OUTPUT: "when one has something to report",
}


def when_of(words: Sequence[str]) -> str:
    """Return which of WHEN somebody chose who is told on these words."""
    chosen = set(words)
    return next((when for when in (OUTPUT, "bad") if chosen <= set(WHEN[when])), "any")


def wanted_by(user: User, word: str) -> list[str]:
    """Return the ways by which somebody wants to be told of what concerns them."""
    said: Mapping[str, Any] = user.notices if user.notices is not None else UNSAID
    return [way for way in WAYS if word in said.get(way, ())]


def outcome_of(status: str, warnings: int) -> str:
    """Return how a run ended, as one of OUTCOMES."""
    return "warnings" if status == Status.COMPLETED and warnings else str(status)
