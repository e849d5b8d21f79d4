"""Runs that change objects: the demo's own jobs, through the only door, in real workers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status
from jobs.errors import InvalidData
from store.changes import object_changes
from store.data import Data
from store.models import JobRecord, JobResult
from store.settings import Settings
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker

pytestmark = pytest.mark.in_turn


@pytest.fixture
def data(live: Settings) -> Iterator[Data]:
    database = Data(live.data_database_url)
    with database.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        for slug in ("active", "planned"):
            Status(name=slug.title(), slug=slug).save()
        DeviceRole(name="Access Switch", slug="access-switch").save()
        for make, model in (("Cisco", "C9300"), ("Juniper", "EX3400")):
            maker = Manufacturer(name=make, slug=make.lower())
            maker.save()
            DeviceType(manufacturer=maker, model=model, slug=model.lower()).save()
        session.commit()
    yield database
    database.dispose()


@contextmanager
def objects(data: Data) -> Iterator[None]:
    with data.session():
        yield


def branch(data: Data, name: str, count: int = 2) -> dict[str, object]:
    with objects(data):
        model = DeviceType.objects.get(model="C9300")
        return {"site_name": name, "switch_count": count, "switch_model": str(model.pk)}


def test_new_branch_makes_a_site_and_its_switches_and_returns_csv(portal: Portal, data: Data):
    result = portal.run("NewBranch", raw=branch(data, "Basel Dreispitz", 3))
    assert result.status == "completed", result.cause
    assert result.return_value == (
        "name,make,model\n"
        "sw-basel-dreispitz-acc-01,Cisco,C9300\n"
        "sw-basel-dreispitz-acc-02,Cisco,C9300\n"
        "sw-basel-dreispitz-acc-03,Cisco,C9300\n"
    )
    entries = portal.entries(result)
    assert [entry.level for entry in entries] == ["success"] * 4
    with objects(data):
        site = Site.objects.get(name="Basel Dreispitz")
        assert Device.objects.filter(site=site).count() == 3
    assert (entries[0].object_text, entries[0].object_url) == (
        "Basel Dreispitz",
        f"/objects/inventory.site/{site.pk}",
    )


def test_a_dry_run_logs_the_same_and_saves_nothing(portal: Portal, data: Data):
    result = portal.run("NewBranch", raw=branch(data, "Bern"), commit=False)
    assert result.status == "completed"
    entries = portal.entries(result)
    assert [entry.level for entry in entries] == ["success"] * 3 + ["info"]
    # What was rolled back is named but not linked: its key may belong to another object tomorrow.
    assert [(bool(entry.object_text), entry.object_url) for entry in entries[:3]] == [(True, None)] * 3
    assert "sw-bern-acc-02" in result.output
    with objects(data):
        assert Site.objects.count() == 0


def test_a_site_that_exists_is_a_failure_and_changes_nothing(portal: Portal, data: Data):
    assert portal.run("NewBranch", raw=branch(data, "Bern")).status == "completed"
    assert portal.run("NewBranch", raw=branch(data, "bern")).status == "failed"
    with objects(data):
        assert Site.objects.count() == 1


def test_choices_are_checked_against_the_other_variables(portal: Portal, data: Data):
    raw = branch(data, "Bern")
    with objects(data):
        raw["manufacturer"] = str(Manufacturer.objects.get(name="Juniper").pk)
    with pytest.raises(InvalidData) as refusal:
        portal.submit("NewBranch", raw=raw)
    assert set(refusal.value.errors) == {"switch_model"}
    with pytest.raises(InvalidData) as refusal:
        portal.submit("NewBranch", raw={**branch(data, "Bern", 49), "switch_model": "999999"})
    assert set(refusal.value.errors) == {"switch_count", "switch_model"}


def test_objects_may_be_named_by_lookups(portal: Portal, data: Data):
    raw = {**branch(data, "Bern"), "switch_model": {"model": "EX3400"}}
    assert "Juniper,EX3400" in portal.run("NewBranch", raw=raw).output


def test_an_object_deleted_before_the_start_ends_the_run_before_its_code(portal: Portal, data: Data):
    result = portal.submit("NewBranch", raw=branch(data, "Bern"))
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        DeviceType.objects.get(model="C9300").delete()
        session.commit()
    ended = portal.execute(result)
    assert ended.status == "errored"
    assert [(level, group) for level, group, _ in portal.messages(result)] == [("failure", "initialization")]
    with objects(data):
        assert Site.objects.count() == 0


def test_two_new_branches_at_once_both_complete(portal: Portal, data: Data, start_worker: StartWorker):
    results = [portal.submit("NewBranch", raw=branch(data, name, 48)) for name in ("Bern", "Basel")]
    start_worker()
    start_worker()

    def ended() -> list[JobResult]:
        rows = [portal.result(result) for result in results]
        return rows if all(row.finished for row in rows) else []

    assert [row.status for row in until(ended, "both ended")] == ["completed", "completed"]
    with objects(data):
        assert Device.objects.count() == 96


# PostgreSQL lets runs write side by side.
@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_on_sqlite_a_run_waits_for_its_turn_and_says_so(
    portal: Portal, data: Data, start_worker: StartWorker
):
    with data.engine.begin() as writer:
        result = portal.submit("NewBranch", raw=branch(data, "Bern"))
        start_worker()
        until(lambda: portal.entries(result), "an entry is there")
        assert "Waiting for another run" in portal.entries(result)[0].message
        assert portal.status(result) == "running"
        writer.rollback()
    until(lambda: portal.result(result).finished, "the run ended")
    assert portal.status(result) == "completed"


def test_the_connections_report_only_reads(portal: Portal, data: Data):
    result = portal.run("DeviceConnectionsReport")
    assert (result.status, result.commit) == ("completed", False)
    assert [group.name for group in portal.groups(result)] == [
        "test_console_connections",
        "test_power_connections",
    ]


def test_a_run_writes_down_what_it_changed_and_as_whom(portal: Portal, data: Data):
    result = portal.run("NewBranch", raw=branch(data, "Basel Dreispitz", 2))
    with data.session() as session:
        rows = session.execute(select(object_changes).order_by(object_changes.c.id)).all()
    assert [(row.action, row.object_type, row.object_text) for row in rows] == [
        ("create", "inventory.site", "Basel Dreispitz"),
        ("create", "inventory.device", "sw-basel-dreispitz-acc-01"),
        ("create", "inventory.device", "sw-basel-dreispitz-acc-02"),
    ]
    assert {(row.result_id, row.attempt, row.username) for row in rows} == {(result.id, 1, "alice")}


def test_a_dry_run_leaves_no_record_of_changes(portal: Portal, data: Data):
    portal.run("NewBranch", raw=branch(data, "Basel Dreispitz"), commit=False)
    with data.session() as session:
        assert session.execute(select(object_changes)).all() == []


def test_a_job_in_a_dialect_of_the_plugins_own_plans_and_then_acts(portal: Portal, data: Data):
    portal.run("NewBranch", raw=branch(data, "Bern", 2))
    with objects(data):
        site = Site.objects.get(name="Bern").pk
    asked = {"site": site, "first_tag": "a-00099"}

    planned = portal.run("TagDevices", raw=asked)
    assert (planned.status, planned.return_value) == ("completed", {"steps": 2, "done": False})
    assert portal.messages(planned) == [
        ("info", "plan", "Would tag it as A00099"),
        ("info", "plan", "Would tag it as A00100"),
    ]
    with objects(data):
        assert not Device.objects.exclude(asset_tag=None).exists()

    done = portal.run("TagDevices", raw=asked, commit=True)
    assert (done.status, done.return_value) == ("completed", {"steps": 2, "done": True})
    with objects(data):
        tags = Device.objects.order_by("name").values_list("asset_tag", flat=True)
        assert list(tags) == ["A00099", "A00100"]

    # Its third device would get a tag that the other site's first one has.
    portal.run("NewBranch", raw=branch(data, "Chur", 3))
    with objects(data):
        site = Site.objects.get(name="Chur").pk
    broken = portal.run("TagDevices", raw={"site": site, "first_tag": "A00097"}, commit=True)
    assert broken.status == "errored"
    assert "ValidationError" in broken.cause
    # The trace begins in the job's own code: what calls it tells an author nothing.
    assert "plans.py" not in portal.entries(broken)[-1].message.partition("tagging.py")[0]
    with objects(data):
        assert not Device.objects.filter(site=site).exclude(asset_tag=None).exists()


def test_what_an_admin_says_of_read_only_counts_in_the_run(portal: Portal, data: Data):
    result = portal.submit("NewBranch", raw=branch(data, "Bern"))
    with portal.platform.session() as db:
        db.get_one(JobRecord, portal.jobs["NewBranch"].id).read_only = True
        db.commit()
    assert portal.execute(result).status == "completed"
    with objects(data):
        assert Site.objects.count() == 0


def test_the_demo_surveys_each_site_in_a_run_of_its_own(portal: Portal, data: Data):
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        status = Status.objects.get(slug="active")
        for name in ("Bern", "Zug"):
            Site(name=name, slug=name.lower(), status=status).save()
        session.commit()
    parent = portal.run("SurveySites")
    with portal.platform.reading() as db:
        children = db.scalars(select(JobResult).where(JobResult.parent_id == parent.id)).all()
    found = {"devices": 0, "without power": 0}
    assert [portal.execute(child).return_value for child in children] == [found, found]
    told = portal.execute(parent)
    assert (told.status, told.return_value, told.results) == ("completed", 0, {})
