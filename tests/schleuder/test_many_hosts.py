"""Workers with instance folders of their own, which share nothing but PostgreSQL and Redis: one is gone in mid-run."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from store.models import JobRecord, JobResult, WorkerProcess
from store.platform import Platform
from store.settings import Settings, load_settings
from tests.schleuder.conftest import Write
from tests.waiting import until
from tests.worker.conftest import Portal
from tests.worker.test_fan_out import children_of
from worker.children import Children
from worker.reconciler import Reconciler
from worker.refresh import refresh

CONFIG = "plugins: {spread: {plugin_dir: plugins, plugin: spread}}\n"

PLUGIN = """
import time
from pathlib import Path

from loguru import logger
from veritas.plugin import jobschleuder


@jobschleuder("take")
def take(*args, **kwargs):
    folder = Path(kwargs["folder"])
    with (folder / "began").open("a") as file:
        file.write(f"{kwargs['number']}\\n")
    while not (folder / "go").exists():
        time.sleep(0.02)
    return kwargs["number"]


@jobschleuder("spread")
def spread(*args, **kwargs):
    return [{"cmd": "take", "args": {**kwargs, "number": number}} for number in range(kwargs["count"])]


@jobschleuder("sum_up")
def sum_up(*args, **kwargs):
    ended = {each.data["arguments"]["number"]: each.ok for each in kwargs["outcomes"]}
    logger.success("{} of {}", sum(ended.values()), len(ended))
"""

postgres = pytest.mark.parametrize(
    "live", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def spread(
    live: Settings,
    live_platform: Platform,
    children: Children,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Portal]:
    project = write({"conf/jobschleuder.yaml": CONFIG, "plugins/spread.py": PLUGIN})
    monkeypatch.setenv("JOBS_ROOT", str(project))
    portal = Portal(load_settings(), live_platform, children)
    with live_platform.session() as db:
        refresh(db, portal.settings)
    # From here on they are in the database alone.
    project.rename(project.with_name("gone"))
    yield portal
    portal.close()


@postgres
def test_what_a_lost_host_had_in_hand_is_told_and_all_else_goes_on(
    spread: Portal, start_worker: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
):
    shared = {
        name: getattr(spread.settings, name.lower())
        for name in ("DATABASE_URL", "DATA_DATABASE_URL", "SECRET_KEY")
    }

    def host(name: str) -> "subprocess.Popen[bytes]":
        place = ("--instance", str(tmp_path / name), "--name", name, "--labels", f"site={name},ssd")
        return start_worker(*place, JOBS_ROOT=str(tmp_path / "nowhere"), **shared)

    paris, bern = host("paris"), host("bern")
    # Nobody else serves what is called as a label of one.
    with spread.platform.session() as db:
        db.get_one(JobRecord, spread.jobs["spread"].id).queues = ["default", "site=bern"]
        db.commit()
    there = spread.submit("spread", raw={"arguments": {"count": 1}}, queue="site=bern")
    until(lambda: spread.result(there).finished, "it went where it was to go")
    assert str(spread.result(there).worker).startswith("bern-")
    raw = {"arguments": {"folder": str(tmp_path), "count": 5}, "preprocessing": "spread"}
    parent = spread.submit("take", raw={**raw, "postprocessing": "sum_up"})

    def running() -> dict[str, JobResult]:
        runs = [child for child in children_of(spread, parent) if child.status == "running"]
        return {str(run.worker).split("-")[0]: run for run in runs}

    def begun() -> list[str]:
        return (tmp_path / "began").read_text().split() if (tmp_path / "began").exists() else []

    busy = until(lambda: len(begun()) == len(running()) == 2 and running(), "each host has one")
    with spread.platform.reading() as db:
        rows = db.scalars(select(WorkerProcess).where(WorkerProcess.kind == "worker"))
        told = {row.name.split("-")[0]: (row.labels, bool(row.host and row.version)) for row in rows}
    assert told == {name: ([f"site={name}", "ssd"], True) for name in ("paris", "bern")}
    paris.kill()
    paris.wait()
    # Any reconciler finds it; here it is the test that does not wait for the other host's next pass.
    Reconciler(spread.settings, spread.platform).run_once()
    (tmp_path / "go").touch()
    ended = until(lambda: spread.result(parent).finished and spread.result(parent), "all are told of")
    assert (ended.status, ended.cause) == ("failed", "1 of 5 runs did not complete.")
    assert ("success", "sum_up", "4 of 5") in spread.messages(ended)
    outcomes = {child.id: child for child in children_of(spread, parent)}
    lost = outcomes[busy["paris"].id]
    assert (lost.status, "paris-" in lost.cause) == ("errored", True), lost.cause
    others = [child for child in outcomes.values() if child is not lost]
    assert [child.status for child in others] == ["completed"] * 4
    assert {str(child.worker).split("-")[0] for child in others} == {"bern"}
    assert sorted(begun()) == ["0", "1", "2", "3", "4"], "nothing was lost, and nothing begun twice"
    assert bern.poll() is None
