"""How long the steps of a job took: by their own begin and end, not by what was logged in between."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from store.models import EntryGroup

#: Groups that are looked at: a step that had more within it begins with the first of these.
MOST_GROUPS = 1_000

_GROUPS: Any = EntryGroup.__table__

_NEWEST = (
    select(_GROUPS.c.first_seq, _GROUPS.c.name, _GROUPS.c.started_at, _GROUPS.c.last_at)
    .where(_GROUPS.c.result_id == bindparam("of_result"))
    .order_by(_GROUPS.c.first_seq.desc())
    .limit(MOST_GROUPS)
)
_LONGER = (
    update(_GROUPS)
    .where(_GROUPS.c.result_id == bindparam("of_result"), _GROUPS.c.first_seq == bindparam("of_first"))
    .values(started_at=bindparam("begins_at"), last_at=bindparam("ends_at"))
)


class Step(NamedTuple):
    """A step that has ended. Its name is the grouping of what it logged; times are seconds since 1970."""

    grouping: str
    began_at: float
    ended_at: float


def time_groups(connection: Connection, result_id: UUID, steps: Iterable[Step]) -> None:
    """Have the groups of these steps begin and end as the steps did. One that logged nothing has no group.

    What a step within it logs divides a step into several groups: the first begins with it, the last ends with it.
    """
    groups = [[*row] for row in connection.execute(_NEWEST, {"of_result": result_id})]
    groups.reverse()
    longer: dict[int, list[datetime]] = {}
    for name, began, ended in steps:
        began_at, ended_at = datetime.fromtimestamp(began, UTC), datetime.fromtimestamp(ended, UTC)
        own = [group for group in groups if group[1] == name and _overlaps(group, began_at, ended_at)]
        if own:
            own[0][2] = min(own[0][2], began_at)
            own[-1][3] = max(own[-1][3], ended_at)
            longer |= {group[0]: group[2:] for group in (own[0], own[-1])}
    if longer:
        values = [
            {"of_result": result_id, "of_first": first, "begins_at": began_at, "ends_at": ended_at}
            for first, (began_at, ended_at) in longer.items()
        ]
        connection.execute(_LONGER, values)


def _overlaps(group: list[Any], began_at: datetime, ended_at: datetime) -> bool:
    return bool(group[2] <= ended_at and group[3] >= began_at)
