"""The two databases do not commit together: what a dead run changed must be provable all the same."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from examples.inventory.models import Manufacturer
from store.data import Data
from store.run_markers import run_markers
from store.settings import Settings
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from tests.worker.test_worker_processes import pid_of
from worker.markers import NOT_SAVED, SAVED, UNKNOWN, Changes, bury
from worker.reconciler import Reconciler


@pytest.fixture
def data(live: Settings) -> Iterator[Data]:
    database = Data(live.data_database_url)
    yield database
    database.dispose()


def manufacturers(data: Data) -> int:
    with data.session():
        return Manufacturer.objects.count()


def markers(data: Data) -> int:
    with data.session() as session:
        return session.scalar(select(func.count()).select_from(run_markers)) or 0


def test_only_a_run_that_saved_changes_leaves_a_marker(portal: Portal, data: Data):
    assert portal.run("Passes").status == "completed"
    assert portal.run("Change", commit=False).status == "completed"
    assert (markers(data), manufacturers(data)) == (0, 0)
    assert portal.run("Change").status == "completed"
    assert (markers(data), manufacturers(data)) == (1, 1)


@pytest.mark.parametrize(
    ("then", "sentence", "saved"),
    [
        ("exit", NOT_SAVED, 0),
        ("exit after", SAVED, 1),
        ("die", NOT_SAVED, 0),
        ("die after", SAVED, 1),
    ],
)
@pytest.mark.in_turn
def test_every_end_says_what_became_of_the_changes(
    portal: Portal, data: Data, start_worker: StartWorker, then: str, sentence: str, saved: int
):
    result = portal.submit("Change", raw={"then": then})
    assert start_worker("--burst").wait(60) == 0
    ended = portal.result(result)
    assert (ended.status, manufacturers(data)) == ("errored", saved)
    assert ended.cause.endswith(sentence)


@pytest.mark.in_turn
def test_a_worker_killed_in_mid_run_saved_nothing_and_its_end_says_so(
    portal: Portal, data: Data, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("Change", raw={"then": "wait", "folder": str(tmp_path)})
    worker = start_worker()
    pid_of(tmp_path)
    worker.kill()
    worker.wait()
    reconciler = Reconciler(portal.settings, portal.platform)
    until(lambda: reconciler.run_once().ended, "the reconciler saw it")
    assert portal.result(result).cause.endswith(NOT_SAVED)
    assert manufacturers(data) == 0


@pytest.mark.in_turn
def test_a_canceled_run_says_what_became_of_its_changes(
    portal: Portal, data: Data, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("Change", raw={"then": "wait", "folder": str(tmp_path)})
    start_worker()
    pid_of(tmp_path)
    portal.cancel(result)
    until(lambda: portal.result(result).finished, "the run ended")
    assert portal.result(result).cause == f"Canceled by alice. {NOT_SAVED}"


def test_a_commit_that_comes_late_fails_on_the_tombstone(portal: Portal, data: Data):
    result_id = uuid4()
    assert bury(data, result_id, 1) == NOT_SAVED
    changes = Changes(result_id, 1)
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        Manufacturer(name="Late", slug="late").save()
        with pytest.raises(IntegrityError):
            changes.commit(session)
    assert (manufacturers(data), changes.saved) == (0, False)


def test_a_tombstone_on_a_marker_says_the_changes_were_saved(portal: Portal, data: Data):
    result_id = uuid4()
    changes = Changes(result_id, 1)
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        Manufacturer(name="First", slug="first").save()
        changes.commit(session)
        Manufacturer(name="Second", slug="second").save()
        changes.commit(session)
    assert bury(data, result_id, 1) == SAVED
    assert manufacturers(data) == 2


def test_who_buries_a_run_that_is_buried_already_says_the_same(portal: Portal, data: Data):
    """Whoever sees a death first may die of it, or two may see it at once."""
    result_id = uuid4()
    assert [bury(data, result_id, 1) for _ in range(3)] == [NOT_SAVED] * 3


def test_where_data_cannot_be_asked_nothing_untrue_is_said(settings: Settings):
    data = Data(settings.data_database_url)  # Nobody has migrated it.
    assert bury(data, uuid4(), 1) == UNKNOWN
    data.dispose()
