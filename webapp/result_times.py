"""The exact moments by which the list of results is narrowed: as they are given, and as the form shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from store.text import clean_text
from webapp.periods import NO_MOMENT, NO_PERIOD, in_field, names_a_zone, read_moment
from webapp.reader_clock import reader_zone

#: Named as in the API, and what a form calls them.
MOMENTS = {"since": "From", "until": "Until"}
LONGEST_MOMENT = 40


@dataclass(frozen=True, slots=True)
class MomentField:
    name: str
    label: str
    #: As the reader's clock shows it; what is no moment as it was typed.
    held: str
    #: None: there is none.
    moment: datetime | None
    error: str


def read_moments(arguments: Mapping[str, str]) -> tuple[dict[str, datetime], dict[str, str]]:
    """Return the moments that a request names, and what is wrong with those that are none, by their names."""
    moments: dict[str, datetime] = {}
    wrong: dict[str, str] = {}
    for name in MOMENTS:
        if given := _given(arguments, name):
            try:
                moments[name] = read_moment(given, reader_zone())
            except ValueError:
                wrong[name] = NO_MOMENT
    if len(moments) == len(MOMENTS) and moments["until"] <= moments["since"]:
        del moments["until"]
        wrong["until"] = NO_PERIOD
    return moments, wrong


def moment_fields(arguments: Mapping[str, str]) -> list[MomentField]:
    moments, wrong = read_moments(arguments)
    fields = []
    for name, label in MOMENTS.items():
        moment = moments.get(name)
        held = in_field(moment, reader_zone()) if moment else _given(arguments, name)
        fields.append(MomentField(name, label, held, moment, wrong.get(name, "")))
    return fields


def are_on_a_clock(arguments: Mapping[str, str]) -> bool:
    """Tell whether a moment is given as the reader's clock shows it: to somebody else it would be another."""
    return not all(names_a_zone(_given(arguments, name)) for name in MOMENTS)


def _given(arguments: Mapping[str, str], name: str) -> str:
    return clean_text(arguments.get(name, "")).strip()[:LONGEST_MOMENT]
