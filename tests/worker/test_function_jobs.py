"""Functions as jobs, through the only door: what they are given, and what is told of those that cannot be jobs."""

import io

import pytest
from sqlalchemy import select

from examples.inventory.models import Manufacturer
from jobs.errors import InvalidData
from jobs.files import Upload
from store.data import Data
from store.models import LoadError
from tests.worker.conftest import Portal

pytestmark = pytest.mark.in_turn


GIVEN = {
    "ratio": "0.5",
    "price": "1.10",
    "tone": "formal",
    "speed": "100",
    "tags": ["b", "a"],
    "hosts": "10.0.0.1\n10.0.0.2",
    "network": "10.0.0.0/8",
    "settings": {"a": [1]},
    "password": "secret word",
}


def test_a_function_runs_with_what_its_hints_ask_for(portal: Portal):
    result = portal.run("PingHost", raw={"host": "10.0.0.1"})
    assert (result.status, result.return_value) == (
        "completed",
        {"host": "0a000001", "count": 3, "note": None},
    )
    assert result.data == {"host": "10.0.0.1", "count": 3, "note": ""}
    assert portal.messages(result) == [("info", "run", "asking IPv4Address('10.0.0.1')")]
    assert (result.class_path, result.name) == ("local/functions/PingHost", "PingHost")
    record = portal.jobs["PingHost"]
    assert (record.grouping, record.description) == ("Functions", "Ask a host whether it is there.")


def test_every_kind_of_hint(portal: Portal):
    result = portal.run("TakesAllKinds", raw=GIVEN)
    assert result.return_value == (
        "[0.5, Decimal('1.10'), <Tone.VERY_FORMAL: 'formal'>, 100, ['b', 'a'], "
        "[IPv4Address('10.0.0.1'), IPv4Address('10.0.0.2')], IPv4Network('10.0.0.0/8'), {'a': [1]}, 11, [], 'bern']"
    )
    assert (result.name, portal.messages(result)) == ("Everything", [("info", "run", "commit False")])


def test_what_only_the_function_can_judge_is_refused_before_anything_is_stored(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("TakesAllKinds", raw={**GIVEN, "settings": [1], "hosts": "10.0.0.1\ncore-1"})
    assert refusal.value.errors == {
        "hosts": ["Line 2: Invalid IPv4/IPv6 address format: core-1"],
        "settings": ['Enter a JSON object, such as {"name": "value"}.'],
    }


def test_files_come_as_bytes_or_open(portal: Portal):
    given = {
        name: Upload(f"{name}.txt", io.BytesIO(name.encode()), "text/plain") for name in ("content", "file")
    }
    assert portal.run("ReadsTwoFiles", raw=given).return_value == ["content", "file"]
    given = {"content": Upload("a.txt", io.BytesIO(b"a"), "text/plain")}
    assert portal.run("ReadsTwoFiles", raw=given).return_value == ["a", None]


def test_models_are_hints_too(portal: Portal):
    data = Data(portal.settings.data_database_url)
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        for name in ("Arista", "Cisco"):
            Manufacturer(name=name, slug=name.lower()).save()
        session.commit()
    data.dispose()
    given = {"makers": [{"name": "Cisco"}, {"name": "Arista"}], "first": {"name": "Arista"}}
    names, first = portal.run("CountsMakers", raw=given).return_value
    assert (sorted(names), first) == (["Arista", "Cisco"], "Arista")
    assert portal.run("CountsMakers", raw={"makers": [{"name": "Cisco"}]}).return_value == [["Cisco"], None]


def test_a_function_that_cannot_be_a_job_is_a_load_error_of_its_own(portal: Portal):
    assert "AsksForAPath" not in portal.jobs
    with portal.platform.reading() as db:
        error = db.scalars(select(LoadError).where(LoadError.module == "functions")).one()
    assert "AsksForAPath in " in error.message
    assert (
        "cannot be a job: where has the hint Path, and no input gives that. There are: str" in error.message
    )
    assert error.traceback == ""
