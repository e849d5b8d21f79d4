"""Writes entries: a batch of them, their groups, and what it changes in their run, all or nothing."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    FromClause,
    Select,
    bindparam,
    column,
    func,
    insert,
    select,
    true,
    update,
)

from store.entry_rows import FEWEST_TO_COPY, EntryRow, insert_entries
from store.models import LEVELS, EntryGroup, JobResult, LogEntry
from worker.ownership import Claim, fenced, write, write_parameters, write_statement

_RUNS: Any = JobResult.__table__
_ENTRIES: Any = LogEntry.__table__
_GROUPS: Any = EntryGroup.__table__
_COUNTS = [f"count_{level}" for level in LEVELS]


class Group(NamedTuple):
    """A group that the next entry may continue."""

    name: str
    first_seq: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written together. `values` are columns of the run."""

    claim: Claim
    rows: Sequence[EntryRow]
    group: Group | None = None
    values: dict[str, Any] = field(default_factory=dict)


def is_one_statement(engine: Engine, rows: Sequence[EntryRow]) -> bool:
    """Tell whether `write_batch` needs no transaction around it.

    PostgreSQL takes it all in one statement, so that it costs one way to the server and back instead of half a dozen.
    """
    return engine.dialect.name == "postgresql" and len(rows) < FEWEST_TO_COPY


def write_batch(connection: Connection, batch: Batch) -> Group | None:
    """Write within the caller's transaction; return the group that the next entry may continue. Raises Fenced."""
    groups = [_group(list(stretch)) for _, stretch in groupby(batch.rows, key=lambda row: row.grouping)]
    last = Group(groups[-1]["name"], groups[-1]["first_seq"]) if groups else batch.group
    continued = None
    if groups and batch.group is not None and batch.group.name == groups[0]["name"]:
        continued = groups.pop(0)
        if not groups:
            last = batch.group
    if is_one_statement(connection.engine, batch.rows):
        _write_at_once(connection, batch, continued, groups)
    else:
        _write_in_steps(connection, batch, continued, groups)
    return last


def _group(stretch: Sequence[EntryRow]) -> dict[str, Any]:
    """Return the row of a group: of entries that have the same grouping and follow each other."""
    return {
        "first_seq": stretch[0].seq,
        "name": stretch[0].grouping,
        "started_at": _moment(stretch[0].created_at),
        "last_at": _moment(stretch[-1].created_at),
        **dict.fromkeys(_COUNTS, 0),
        **_counts(stretch),
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _counts(rows: Sequence[EntryRow]) -> dict[str, int]:
    return {f"count_{level}": count for level, count in Counter(row.level for row in rows).items()}


# --- in steps ----------------------------------------------------------------------------------------------------


def _write_in_steps(
    connection: Connection, batch: Batch, continued: dict[str, Any] | None, groups: list[dict[str, Any]]
) -> None:
    write(connection, batch.claim, more=_counts(batch.rows), **batch.values)
    key = batch.claim.result_id
    if batch.rows:
        insert_entries(connection, key, batch.claim.attempt, batch.rows)
    if continued is not None:
        connection.execute(_LENGTHEN, {"of_result": key, **_lengthening(batch, continued)})
    for group in groups:
        connection.execute(_NEW_GROUP, {"result_id": key, **group})


def _lengthening(batch: Batch, continued: dict[str, Any]) -> dict[str, Any]:
    assert batch.group is not None  # noqa: S101
    more = {f"longer_{name}": continued[name] for name in _COUNTS}
    return {"of_first": batch.group.first_seq, "ends_at": continued["last_at"], **more}


_NEW_GROUP = insert(_GROUPS)
_LONGER = (
    update(_GROUPS)
    .where(_GROUPS.c.first_seq == bindparam("of_first"))
    .values(
        {
            "last_at": bindparam("ends_at"),
            **{name: _GROUPS.c[name] + bindparam(f"longer_{name}") for name in _COUNTS},
        }
    )
)
_LENGTHEN = _LONGER.where(_GROUPS.c.result_id == bindparam("of_result"))


# --- in one statement --------------------------------------------------------------------------------------------


def _write_at_once(
    connection: Connection, batch: Batch, continued: dict[str, Any] | None, groups: list[dict[str, Any]]
) -> None:
    counts = _counts(batch.rows)
    statement = _at_once(
        frozenset(batch.values), frozenset(counts), bool(batch.rows), bool(groups), continued is not None
    )
    parameters = write_parameters(batch.claim, batch.values, counts)
    if batch.rows:
        parameters["entries"] = [_entry_as_json(row) for row in batch.rows]
    if groups:
        parameters["groups"] = [_group_as_json(group) for group in groups]
    if continued is not None:
        parameters |= _lengthening(batch, continued)
    if not connection.scalar(statement, parameters):
        raise fenced(batch.claim)


def _entry_as_json(row: EntryRow) -> dict[str, Any]:
    return {**row._asdict(), "created_at": _moment(row.created_at).isoformat()}


def _group_as_json(group: dict[str, Any]) -> dict[str, Any]:
    return {
        **group,
        "started_at": group["started_at"].isoformat(),
        "last_at": group["last_at"].isoformat(),
    }


@functools.cache
def _at_once(
    values: frozenset[str], counts: frozenset[str], entries: bool, groups: bool, continued: bool
) -> Select[Any]:
    """Return the statement that writes to the run, and only if it may, to the other tables; it counts the runs."""
    run = write_statement(values, counts).returning(_RUNS.c.id).cte("run")
    parts: list[Any] = []
    if entries:
        given = _from_json("entries", _ENTRIES, EntryRow._fields)
        columns = ["result_id", "attempt", *EntryRow._fields]
        chosen = select(run.c.id, bindparam("of_attempt"), *given.c).select_from(run.join(given, true()))
        parts.append(insert(_ENTRIES).from_select(columns, chosen))
    if groups:
        columns = ["first_seq", "name", "started_at", "last_at", *_COUNTS]
        given = _from_json("groups", _GROUPS, columns)
        chosen = select(run.c.id, *given.c).select_from(run.join(given, true()))
        parts.append(insert(_GROUPS).from_select(["result_id", *columns], chosen))
    if continued:
        parts.append(_LONGER.where(_GROUPS.c.result_id == run.c.id))
    return select(func.count()).select_from(run).add_cte(*(part.cte() for part in parts))


def _from_json(name: str, table: Any, columns: Sequence[str]) -> FromClause:
    """Return rows for `table` that come as a parameter, as a list of JSON objects."""
    typed = [column(each, table.c[each].type) for each in columns]
    rows = func.json_to_recordset(bindparam(name, type_=JSON)).table_valued(*typed, name=f"given_{name}")
    return rows.render_derived(with_types=True)
