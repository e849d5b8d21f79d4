"""A result that did not complete, held against the last that did; and a result as one file."""

from typing import Any, cast

from flask import Response
from typing_extensions import TypedDict
from werkzeug.exceptions import NotFound

from store.differences import Line
from store.models import JobResult
from webapp import result_export
from webapp.api.calls import Content, Query, call
from webapp.api.results import find_result
from webapp.api.shapes import results as shapes
from webapp.result_changes import Changes, InputChange, changes_of, may_compare


class InputChangeShape(TypedDict):
    """An input that differs. Of a sealed one there is what may be told of it."""

    name: str
    before: Any
    after: Any
    before_sealed: dict[str, Any] | None
    after_sealed: dict[str, Any] | None
    #: Whether it cannot be told if it differs: the same value is sealed differently each time.
    unknown: bool


class FactChangeShape(TypedDict):
    name: str
    before: str | None
    after: str | None


class StretchShape(TypedDict):
    """A grouping that took much longer, is missing or is new; in seconds, null where it is not there."""

    grouping: str
    before: float | None
    after: float | None


class ComparedEntryShape(TypedDict):
    seq: int
    level: str
    grouping: str
    #: The beginning of it: as much as is compared.
    message: str
    object: str | None


class FirstDifferenceShape(TypedDict):
    """The first entries that differ; null: that log had ended there."""

    before: ComparedEntryShape | None
    after: ComparedEntryShape | None


class ChangesShape(TypedDict):
    """What changed since the job last completed."""

    #: Null: no earlier run that you may see completed.
    earlier: shapes.ResultLine | None
    #: How that was chosen: "schedule", "inputs" or "job".
    chosen: str | None
    inputs: list[InputChangeShape]
    #: The inputs may be sensitive and were not kept.
    inputs_unknown: bool
    facts: list[FactChangeShape]
    groupings: list[StretchShape]
    #: How many entries are the same from the first on, but for times, ids, addresses and counts.
    same_entries: int
    first_difference: FirstDifferenceShape | None
    #: Whether the logs go on alike beyond what was compared.
    cut: bool


@call(answers={200: ChangesShape}, tag="results")
def changes(query: Query, result_id: str) -> Any:
    """Tell what changed since the job last completed, of a run that did not complete."""
    row = find_result(result_id)
    if not may_compare(row):
        raise NotFound("Only a result that has ended, and did not complete, is compared.")
    return _shape(changes_of(row))


@call(answers={200: Content("text/html")}, tag="results")
def export(query: Query, result_id: str) -> Response:
    """Give a result as one file of HTML that needs nothing else, with its inputs, log, report and hashes."""
    return result_export.answer(find_result(result_id))


def _shape(found: Changes) -> ChangesShape:
    parting = found.parting
    return {
        "earlier": shapes.result_line(found.earlier) if found.earlier else None,
        "chosen": found.chosen if found.earlier else None,
        "inputs": [_input(each, found) for each in found.inputs],
        "inputs_unknown": found.inputs_unknown,
        "facts": [
            {"name": fact.name, "before": fact.before or None, "after": fact.after or None}
            for fact in found.facts
        ],
        "groupings": [
            {"grouping": each.name, "before": each.before, "after": each.after} for each in found.groupings
        ],
        "same_entries": found.same,
        "first_difference": None
        if parting is None
        else {"before": _entry(parting.before), "after": _entry(parting.after)},
        "cut": found.cut,
    }


def _input(change: InputChange, found: Changes) -> InputChangeShape:
    earlier, result = cast(JobResult, found.earlier), found.result
    return {
        "name": change.name,
        "before": earlier.data.get(change.name),
        "after": result.data.get(change.name),
        "before_sealed": (earlier.sealed_facts or {}).get(change.name),
        "after_sealed": (result.sealed_facts or {}).get(change.name),
        "unknown": change.unknown,
    }


def _entry(line: Line | None) -> ComparedEntryShape | None:
    if line is None:
        return None
    about = line.about
    return {
        "seq": line.seq,
        "level": line.level,
        "grouping": line.grouping,
        "message": line.message,
        "object": about,
    }
