"""Runs that read data files."""

from datetime import timedelta

import pytest

from jobs.errors import InvalidData
from store.data_files import Folder
from store.models import JobRecord, Permission, User, now
from store.permissions import EVERYONE
from store.positional import to_data
from store.timing.recurrence import Recurrence
from tests.worker.conftest import Portal
from worker.firing import read
from worker.schedules import Timetable, create, run_now

pytestmark = pytest.mark.in_turn


def test_a_run_reads_the_file_as_it_is_when_it_begins(portal: Portal):
    folder = Folder(portal.settings)
    folder.write("a.lst", b"# Hosts\n1\n", new=True)
    asked = portal.submit("ReadsADataFile", raw={"hosts": "a.lst"})
    assert asked.data == {"hosts": "a.lst", "more": ""}
    folder.write("a.lst", b"1\n2\n", new=False)
    done = portal.execute(asked)
    assert done.return_value == {"name": "a.lst", "entries": ["1", "2"], "more": None}, done.cause
    assert list((portal.settings.instance / "runs").iterdir()) == []
    for name, said in (
        ("b.lst", "There is no data file b.lst that you may see. Choose from: a.lst."),
        ("../a.lst", "Choose a data file. ../a.lst cannot be the name of one."),
    ):
        with pytest.raises(InvalidData, match="hosts") as refusal:
            portal.submit("ReadsADataFile", raw={"hosts": name})
        assert refusal.value.errors == {"hosts": [said]}


def test_a_job_of_bots_scheduler_gets_the_path(portal: Portal):
    Folder(portal.settings).write("a.lst", b"1\n2\n", new=True)
    raw = to_data(portal.jobs["CountWords"].variables, ["a.lst", "all", "x", 1])
    done = portal.run("CountWords", raw=raw)
    said = {"path": "str", "lines": 2, "which": "all", "more": ["x", 1]}
    assert (done.status, done.return_value) == ("completed", said), done.cause


def test_a_run_whose_file_is_gone_does_not_begin(portal: Portal):
    folder = Folder(portal.settings)
    folder.write("a.lst", b"1\n", new=True)
    gone, hidden = (portal.submit("ReadsADataFile", raw={"hosts": "a.lst"}) for _ in range(2))
    with portal.platform.session() as db:
        alice = db.get_one(User, portal.cast["alice"].id)
        times = Recurrence("future", now() + timedelta(days=1))
        job = db.get_one(JobRecord, portal.jobs["ReadsADataFile"].id)
        schedule = create(
            db,
            portal.settings,
            job=job,
            raw={"hosts": "a.lst"},
            user=alice,
            timetable=Timetable("Later", times),
        )
        kept = read(db, schedule.id)
        assert kept is not None
        scheduled = run_now(db, portal.settings, kept, job, alice)
        assert scheduled.data["hosts"] == "a.lst"
        name = next(name for name, kind, *_ in EVERYONE if kind == "datafile")
        seeing = db.query(Permission).filter_by(name=name).one()
        seeing.enabled = False
        db.commit()
        done = portal.execute(hidden)
        assert (done.status, done.cause) == ("errored", "alice may not see the data file a.lst any more.")
        seeing.enabled = True
        db.commit()
    assert portal.execute(scheduled).status == "completed"
    folder.remove("a.lst")
    done = portal.execute(gone)
    assert (done.status, done.cause) == ("errored", "The data file a.lst is not there any more.")
