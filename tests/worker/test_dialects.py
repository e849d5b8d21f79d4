"""Jobs as they are written since Nautobot 2.0, from the request to the end of their runs."""

import pytest

from examples.inventory.models import Manufacturer
from jobs.errors import InvalidData
from store.data import Data
from store.models import Status
from tests.worker.conftest import Portal, on_sqlite
from tests.worker.engine import Engine

pytestmark = pytest.mark.in_turn


def names(portal: Portal) -> list[str]:
    data = Data(portal.settings.data_database_url)
    try:
        with data.session():
            return [maker.name for maker in Manufacturer.objects.order_by("name")]
    finally:
        data.dispose()


def make(portal: Portal) -> int:
    data = Data(portal.settings.data_database_url)
    try:
        with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            maker = Manufacturer(name="Acme", slug="acme")
            maker.save()
            session.commit()
            return maker.pk
    finally:
        data.dispose()


def test_only_what_is_registered_is_a_job(portal: Portal):
    listed = {record.class_name for record in portal.jobs.values() if record.module == "nautobot_2"}
    assert listed == {
        "Hooks",
        "KeepsItsChange",
        "LosesItsChange",
        "GivesUp",
        "DryRuns",
        "Single",
        "HooksOfOurs",
    }
    assert {portal.jobs[name].dialect for name in listed} == {"2"}
    assert portal.jobs["Passes"].dialect == "classic"


def test_hooks_get_keys_and_run_gets_objects(portal: Portal):
    pk = make(portal)
    result = portal.run("Hooks", raw={"maker": pk})
    assert (result.status, result.output) == ("completed", "")
    assert result.return_value == {
        "maker": "Acme",
        "rest": [None, "", False],
        "task": str(result.id),
        "user": "alice",
    }
    assert portal.messages(result) == [
        ("info", "initialization", "Running job"),
        ("info", "before_start", f"{pk} with ['count', 'flag', 'maker', 'word']"),
        ("success", "finds", "found"),
        ("error", "run", "no harm"),
        ("info", "run", "%d"),
        ("info", "run", "printed"),
        ("info", "on_success", "True"),
        ("info", "after_return", "SUCCESS None"),
        ("success", "post_run", "Job completed"),
    ]
    assert [entry.object_text for entry in portal.entries(result) if entry.object_text] == ["Acme"]


def test_a_logger_of_a_module_follows_the_run_that_goes_on(portal: Portal):
    first, second = portal.run("Hooks"), portal.run("Hooks")
    assert [len(portal.entries(result)) for result in (first, second)] == [9, 9]


def test_what_a_failed_run_changed_stays(portal: Portal):
    result = portal.run("KeepsItsChange")
    assert (result.status, result.cause) == ("failed", "One of 3 did not answer")
    assert result.return_value == "what there is"
    assert portal.messages(result)[1:] == [
        ("failure", "run", "One of 3 did not answer"),
        ("info", "on_failure", "what there is, None"),
    ]
    assert names(portal) == ["Kept"]


def test_an_exception_takes_back_what_was_changed_before_it(portal: Portal):
    result = portal.run("LosesItsChange")
    assert (result.status, result.cause) == ("errored", "The job raised ValueError: no")
    assert portal.messages(result)[-1] == ("info", "on_failure", "ValueError: ValueError: no")
    assert names(portal) == ["After"]


def test_giving_up_is_a_failure_with_a_sentence(portal: Portal):
    result = portal.run("GivesUp")
    assert (result.status, result.cause) == ("failed", "There is nothing to do.")


def test_a_hook_alone_tells_the_dialect(portal: Portal):
    assert ("info", "after_return", "after") in portal.messages(portal.run("HooksOfOurs"))


@on_sqlite
def test_a_dry_run_is_an_input_of_the_job(portal: Portal):
    result = portal.run("DryRuns")
    assert (result.return_value, result.commit, result.dry_run) == (True, True, True)
    result = portal.run("DryRuns", raw={"dryrun": False})
    assert (result.return_value, result.commit, result.dry_run) == (False, True, False)


@on_sqlite
def test_a_dry_run_by_the_commit_flag_is_refused(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("DryRuns", commit=False)
    said = "This job always saves what it changes. Give dryrun among its inputs instead."
    assert refusal.value.errors == {"_commit": [said]}
    with pytest.raises(InvalidData, match=r"^_commit: This job always saves what it changes\.$"):
        portal.submit("KeepsItsChange", commit=False)
    assert portal.submit("KeepsItsChange", commit=True).commit


def test_a_singleton_fails_when_it_would_start_beside_another(portal: Portal, engine: Engine):
    first, second = portal.submit("Single"), portal.submit("Single")
    taken = engine.start(first)
    assert taken
    assert engine.start(second) is None
    refused = portal.result(second)
    assert (refused.status, refused.cause) == (
        "failed",
        "Job 'One of a kind' is a singleton and already running.",
    )
    assert refused.finished_at
    assert engine.end(taken, Status.COMPLETED) == []
    assert engine.start(portal.submit("Single"))


@on_sqlite
def test_singletons_that_wait_for_each_other_all_run(portal: Portal):
    waiting = [portal.submit("Single") for _ in range(2)]
    assert [portal.execute(result).status for result in waiting] == ["completed"] * 2
