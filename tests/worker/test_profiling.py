"""Where a run spends its time: kept with the result, and without any effect on how the run ends."""

import marshal
import os
import pstats
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from examples.inventory.models import Site, Status
from jobs import Job
from jobs.errors import InvalidData
from jobs.profiling import file_name, path_of
from store.data import Data
from store.files import file_store
from store.models import JobResult, RunFile
from tests.worker.conftest import Portal, on_sqlite
from worker import profiles
from worker.masking import Mask
from worker.nautobot_testing import run_job_for_testing
from worker.redaction import load_rules
from worker.run_options import RunOptions
from worker.testing import run_job

PROFILE = RunOptions(profile=True)

pytest_plugins = ["worker.pytest_plugin"]


@pytest.fixture(autouse=True)
def temporary_files() -> Iterator[None]:
    """Leave nothing where other programs have their temporary files."""
    folder = Path(path_of("x")).parent
    before = set(folder.glob("nautobot-jobresult-*"))
    yield
    for path in set(folder.glob("nautobot-jobresult-*")) - before:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def profiled(portal: Portal, job: str, user: str = "root", **raw: str) -> JobResult:
    return portal.run(job, user=user, raw=raw, options=PROFILE)


def kept(portal: Portal, result: JobResult) -> bytes | None:
    """Return the profile among the files of the result."""
    with portal.platform.session() as db:
        row = db.scalars(select(RunFile).where(RunFile.result_id == result.id)).one_or_none()
    if row is None:
        return None
    assert row.name == f"nautobot-jobresult-{result.id}.pstats"
    with file_store(portal.settings, portal.platform.engine).open(row.key) as content:
        return content.read()


def said(portal: Portal, result: JobResult) -> list[tuple[str, str]]:
    ours = ("Wrote profiling", "Not profiled", "The profile")
    return [(each.level, each.message) for each in portal.entries(result) if each.message.startswith(ours)]


def wrote(result: JobResult) -> tuple[str, str]:
    return ("info", f"Wrote profiling information to {path_of(str(result.id))}.")


def test_run_alone_is_profiled_and_the_profile_kept(portal: Portal):
    result = profiled(portal, "Burns")
    assert (result.status, result.return_value, result.profile) == ("completed", "burnt", True)
    content = kept(portal, result)
    path = Path(path_of(str(result.id)))
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ("info", "post_run", "burn: True, test: False") in portal.messages(result)
    assert said(portal, result) == [wrote(result)]
    functions = {function for _, _, function in marshal.loads(content or b"")}
    assert {"run", "burn"} <= functions
    assert not functions & {"post_run", "test_is_not_profiled", "live"}
    rows = result.hot_functions or []
    assert [row["function"] for row in rows if row["function"].startswith("burn (profiled.py:")]
    assert {row["function"].partition(" (")[0] for row in rows} == {
        "run",
        "burn",
        "<genexpr>",
        "<built-in method builtins.sum>",
    }
    assert rows == sorted(rows, key=lambda row: row["own_seconds"], reverse=True)
    assert all(row["calls"] > 0 <= row["own_seconds"] <= row["cumulative_seconds"] for row in rows)


@on_sqlite
def test_a_run_that_is_not_profiled_leaves_nothing(portal: Portal):
    result = portal.run("BurnsInDialect2", user="root")
    assert (result.profile, result.hot_functions, kept(portal, result)) == (False, None, None)
    assert not Path(path_of(str(result.id))).exists()


@on_sqlite
def test_run_of_the_second_dialect_and_functions_are_profiled(portal: Portal):
    result = profiled(portal, "BurnsInDialect2")
    assert (result.status, result.return_value) == ("completed", "burnt")
    assert ("info", "after_return", "burn: True, before_start: False") in portal.messages(result)
    result = profiled(portal, "BurnsAsFunction")
    assert result.status == "completed"
    assert b"burns_as_function" in (kept(portal, result) or b"")


@on_sqlite
@pytest.mark.parametrize("ending", ["raise", "exit", "limit", "fork"])
def test_however_run_ends_it_ends_as_without_a_profile(portal: Portal, ending: str):
    plain, result = portal.run("Burns", raw={"ending": ending}), profiled(portal, "Burns", ending=ending)
    assert (result.status, result.cause, result.return_value) == (
        plain.status,
        plain.cause,
        plain.return_value,
    )
    assert said(portal, result) == [wrote(result)]
    assert b"burn" in (kept(portal, result) or b"")


@on_sqlite
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a second profiler is refused since Python 3.12")
def test_a_profiler_in_c_neither_breaks_the_run_nor_is_lost(portal: Portal):
    result = profiled(portal, "ProfilesItselfInC")
    assert (result.status, result.return_value) == ("completed", "profiled"), result.cause


@on_sqlite
@pytest.mark.parametrize("when", ["before", "within"])
def test_a_job_may_profile_itself(portal: Portal, when: str):
    result = profiled(portal, "ProfilesItself", when=when)
    assert (result.status, result.cause) == ("completed", "The job ran to its end.")
    assert ("info", "on_success", "burn: True") in portal.messages(result)
    busy = ("warning", "Not profiled: another profiler is at work in this process.")
    assert said(portal, result) == [busy if when == "before" else wrote(result)]
    # And the next run in the same process is profiled again.
    assert profiled(portal, "BurnsInDialect2").hot_functions


@on_sqlite
def test_a_job_without_run_says_that_nothing_was_profiled(portal: Portal):
    result = profiled(portal, "OnlyChecks")
    assert result.status == "completed"
    assert said(portal, result) == [("warning", "Not profiled: `run` was not called.")]


@on_sqlite
def test_a_link_that_lies_there_is_replaced_and_not_followed(portal: Portal, tmp_path: Path):
    target = tmp_path / "target"
    target.write_text("mine")
    result = profiled(portal, "PutsALinkThere", target=str(target))
    path = Path(path_of(str(result.id)))
    assert target.read_text() == "mine"
    assert not path.is_symlink()
    assert path.read_bytes() == kept(portal, result)


@on_sqlite
def test_what_cannot_be_written_is_told_and_kept_with_the_result(portal: Portal):
    result = profiled(portal, "PutsAFolderThere")
    assert result.status == "completed"
    assert said(portal, result) == [
        ("warning", "The profile was not written to the temporary files: Is a directory.")
    ]
    assert kept(portal, result)


@on_sqlite
def test_a_profile_too_large_for_the_result_is_told(portal: Portal):
    portal.settings = replace(portal.settings, created_file_bytes=10)
    result = profiled(portal, "BurnsInDialect2")
    assert (result.status, kept(portal, result)) == ("completed", None)
    too_large = "The file is larger than 10 bytes, the most that is taken here."
    assert said(portal, result) == [
        wrote(result),
        ("warning", f"The profile is not among the files of the result: {too_large}"),
    ]


@on_sqlite
def test_only_superusers_may_unless_debug_is_on(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("Passes", options=PROFILE)
    sentence = "Only a superuser may have a run profiled, unless ERRAND_DEBUG is on."
    assert refusal.value.errors == {"_profile": [sentence]}
    assert portal.submit("Passes", user="root", options=PROFILE).profile
    assert portal.submit("Passes", permitted=True, options=PROFILE).profile
    portal.settings = replace(portal.settings, debug=True)
    assert portal.submit("Passes", options=PROFILE).profile


def test_old_profiles_are_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, young, half = (tmp_path / file_name(str(uuid4())) for _ in range(3))
    half = half.with_name(f".{half.name}.a1b2c3")
    link = tmp_path / file_name(str(uuid4()))
    other = tmp_path / "nautobot-jobresult-mine.pstats"
    for path in (old, young, half, other):
        path.touch()
    link.symlink_to(old)
    past = time.time() - profiles.KEPT_SECONDS - 60
    for path in (old, half, other, link):
        os.utime(path, (past, past), follow_symlinks=False)
    profiles.remove_old_profiles()
    assert set(tmp_path.iterdir()) == {young, link, other}


@pytest.mark.parametrize(
    "rows",
    [
        [["f", 1, 0.1, 0.2]] * 21,
        ["f"],
        [["f", 1, 0.1]],
        [["f", -1, 0.1, 0.2]],
        [["f", 1, float("nan"), 0.2]],
        [["f", 1, 0.1, float("inf")]],
        [[1, 1, 0.1, 0.2]],
        [["f", 1, 1e999, 0.2]],
    ],
)
def test_a_table_that_no_child_of_ours_sends_is_refused(rows: list[object]):
    assert profiles.functions_of(rows, Mask(load_rules(None))) is None


def test_names_of_functions_are_masked():
    mask = Mask(load_rules(None))
    mask.hide(["open sesame"])
    [row] = profiles.functions_of([["open sesame", 1, 0.1, 0.2]], mask) or []
    assert row == {
        "function": "(redacted)",
        "calls": 1,
        "own_seconds": 0.1,
        "cumulative_seconds": 0.2,
    }


@on_sqlite
def test_the_dialect_of_a_plugin_says_what_is_profiled(portal: Portal):
    data = Data(portal.settings.data_database_url)
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        active = Status(name="Active", slug="active")
        site = Site(name="Bern", slug="bern", status=active)
        session.add_all([active, site])
        session.commit()
        raw = {"site": str(site.pk), "first_tag": "A00099"}
    data.dispose()
    result = profiled(portal, "TagDevices", **raw)
    assert (result.status, said(portal, result)) == ("completed", [wrote(result)])
    assert b"tagging.py" in (kept(portal, result) or b"")


class Sums(Job):
    def run(self, data, commit):
        return sum(range(1000))


def test_a_run_in_a_test_can_be_profiled():
    tested = run_job(Sums, profile=True)
    [(name, content)] = tested.files.items()
    assert name == f"nautobot-jobresult-{tested.id}.pstats"
    assert Path(path_of(str(tested.id))).read_bytes() == content
    assert run_job(Sums).files == {}


def test_a_test_of_a_nautobot_job_finds_its_profile():
    result = run_job_for_testing(Sums, profile=True)
    assert pstats.Stats(path_of(str(result.pk))).total_calls > 0
