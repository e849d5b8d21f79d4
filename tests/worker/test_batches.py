"""A batch of entries: whatever way it is written, the same rows are there."""

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.entry_rows import FEWEST_TO_COPY, EntryRow
from store.models import LEVELS, EntryGroup, JobResult, LogEntry
from tests.worker.conftest import Portal
from worker import batches
from worker.batches import Batch, Group, is_one_statement, write_batch
from worker.host import this_process
from worker.ownership import Claim, Fenced, claim

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30) | st.sampled_from(
    [
        "",
        "\\N",
        "\t tab\nnew line",
        '"quoted" \\"twice\\"',
        "\N{PILE OF POO}",
        "{}",
        "null",
        "%s %(x)s :x",
        "'",
    ]
)
ENTRIES = st.tuples(
    st.floats(0, 4_000_000_000),
    st.sampled_from(LEVELS),
    st.sampled_from(["main", "other", 'it\'s "quoted"']),
    TEXTS,
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
)


def claimed(portal: Portal) -> Claim:
    taken = claim(portal.platform, portal.submit("Passes").id, worker="w-1", process=this_process())
    assert taken is not None
    return taken


def written(portal: Portal, taken: Claim, made: list[list[EntryRow]]) -> Group | None:
    group = None
    for rows in made:
        engine = portal.platform.engine
        with (portal.platform.single if is_one_statement(engine, rows) else engine).begin() as connection:
            group = write_batch(connection, Batch(taken, rows, group, {"last_seq": rows[-1].seq}))
    return group


def stored(portal: Portal, taken: Claim) -> list[Any]:
    with portal.platform.reading() as db:
        result = db.get_one(JobResult, taken.result_id)
        return [
            *(_rows_of(db, model, taken) for model in (LogEntry, EntryGroup)),
            result.counts,
            result.last_seq,
        ]


def _rows_of(db: Session, model: Any, taken: Claim) -> Any:
    kept = [column for column in model.__table__.c if column.name not in ("id", "result_id")]
    return db.execute(select(*kept).where(model.result_id == taken.result_id).order_by(kept[0])).all()


def numbered(made: list[list[tuple[Any, ...]]]) -> list[list[EntryRow]]:
    numbers = iter(range(1, 10_000))
    return [[EntryRow(next(numbers), *entry) for entry in batch] for batch in made]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(st.lists(ENTRIES, min_size=1, max_size=8), min_size=1, max_size=4).map(numbered))
def test_one_statement_stores_what_many_store(portal: Portal, made: list[list[EntryRow]]):
    first, second = claimed(portal), claimed(portal)
    last = written(portal, first, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "is_one_statement", lambda *_: False)
        patch.setattr(f"{__name__}.is_one_statement", lambda *_: False)
        assert written(portal, second, made) == last
    assert stored(portal, first) == stored(portal, second)
    entries, groups, counts, last_seq = stored(portal, first)
    assert [entry.seq for entry in entries] == list(range(1, last_seq + 1))
    assert sum(counts.values()) == last_seq
    assert [group.name for group in groups] == [
        entry.grouping
        for number, entry in enumerate(entries)
        if number == 0 or entries[number - 1].grouping != entry.grouping
    ]


@pytest.mark.parametrize("rows", [1, FEWEST_TO_COPY])
def test_nothing_of_a_batch_is_stored_for_a_run_that_is_not_ours(portal: Portal, rows: int):
    taken = claimed(portal)
    lost = dataclasses.replace(taken, attempt=2)
    with pytest.raises(Fenced):
        written(portal, lost, numbered([[(1.0, "info", "main", "late", "late", None, None)] * rows]))
    assert stored(portal, taken) == [[], [], dict.fromkeys(LEVELS, 0), 0]
