"""How states, runs and their history look: class, icon and word, named once for every page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Flask

from store.models import FAMILIES, FAMILY_OF, FINAL, Status
from webapp.assets import static
from webapp.formats import plural

PULSE_RUNS = 20
SHORTEST_USUAL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    css: str
    icon: str
    word: str


LOOKS = {
    Status.AWAITING_APPROVAL: Look("is-hold", "hold", "Needs approval"),
    Status.PENDING: Look("is-wait", "wait", "Queued"),
    Status.RUNNING: Look("is-run", "run", "Running"),
    Status.COMPLETED: Look("is-ok", "ok", "Completed"),
    Status.FAILED: Look("is-bad", "bad", "Failed"),
    Status.ERRORED: Look("is-bad", "errored", "Errored"),
    Status.CANCELED: Look("is-wait", "off", "Canceled"),
    Status.DENIED: Look("is-wait", "off", "Denied"),
}

#: States of a job's latest run that say it needs looking after.
FAILING = frozenset({Status.FAILED, Status.ERRORED})

FAMILY_ICONS = {"debug": "debug", "info": "info", "success": "ok", "warning": "warn", "failure": "bad"}


class Bar(NamedTuple):
    css: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Pulse:
    """The last runs of a job as bars, oldest first; the label says the same in words."""

    bars: list[Bar]
    label: str

    @property
    def paths(self) -> dict[str, str]:
        """Return one line for all bars of a colour, to be drawn as wide as a bar: a page has hundreds of bars."""
        paths: dict[str, str] = {}
        for bar in self.bars:
            paths[bar.css] = f"{paths.get(bar.css, '')}M{bar.x} {bar.y}v{bar.height}"
        return paths


class Length(NamedTuple):
    """How long a run took, beside what is usual for its job."""

    #: Of a bar whose middle is the usual duration: what took twice as long, or longer, fills it.
    percent: int
    usual_seconds: float


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        look=look, icon_of=icon_of, FAMILIES=tuple(FAMILIES), FAMILY_OF=FAMILY_OF, FAMILY_ICONS=FAMILY_ICONS
    )


def look(result: Any) -> Look:
    """Return how the state of `result` (a row with `status` and `count_warning`) is shown."""
    if result.status == Status.COMPLETED and result.count_warning:
        return Look("is-warn", "warn", f"Warnings ({result.count_warning})")
    return LOOKS[result.status]


def icon_of(result: Any) -> str:
    """Return the address of the icon that a tab shows for a result."""
    return static(f"icon-{look(result).css.removeprefix('is-')}.svg")


def pulse(newest_first: Sequence[Any]) -> Pulse:
    runs = [result for result in newest_first if result.status in FINAL][:PULSE_RUNS][::-1]
    looks = [look(result) for result in runs]
    seconds = [result.duration_seconds or 0 for result in runs]
    longest = max(seconds, default=0) or 1
    empty = [Bar("is-wait", 5 * slot, 15.3, 0.7) for slot in range(PULSE_RUNS - len(runs))]
    bars = [
        bar
        for slot, (shown, lasted) in enumerate(zip(looks, seconds, strict=True), PULSE_RUNS - len(runs))
        for bar in _bars(shown, 5 * slot, lasted / longest)
    ]
    return Pulse(empty + bars, _pulse_label(looks))


def length(seconds: float | None, usual_seconds: float | None) -> Length | None:
    if seconds is None or not usual_seconds:
        return None
    # Of what is over at once, the differences say nothing.
    share = seconds / max(usual_seconds, SHORTEST_USUAL_SECONDS)
    return Length(round(max(1.0, min(100.0, 50 * share))), usual_seconds)


def _bars(shown: Look, x: int, share: float) -> list[Bar]:
    """A failure hangs below the line, a warning has a gap, what never ran is a stub."""
    height = round(3 + 12 * share, 1)
    if shown.css == "is-bad":
        return [Bar("is-bad", x, 17, 7)]
    if shown.css == "is-warn":
        above = max(2.0, height - 4)
        return [Bar("is-warn", x, round(12 - above, 1), above), Bar("is-warn", x, 13.5, 2.5)]
    if shown.css == "is-wait":
        return [Bar("is-wait", x, 14, 2)]
    return [Bar(shown.css, x, round(16 - height, 1), height)]


def _pulse_label(looks: Sequence[Look]) -> str:
    if not looks:
        return "No runs yet"
    words = [shown.word.partition(" (")[0] for shown in looks]
    names = {"Warnings": "with warnings"}
    parts = [f"{words.count(word)} {names.get(word, word.lower())}" for word in dict.fromkeys(words)]
    return f"Last {plural(len(looks), 'run')}: {', '.join(parts)}"
