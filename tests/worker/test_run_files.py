"""Files that runs are given and make: stored where every worker reaches them, there for as long as they are needed."""

import io
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.files import Upload
from store.files import file_store
from store.models import FileChunk, JobResult, RunFile, now
from tests.waiting import PATIENCE_SECONDS, until
from tests.worker.conftest import WORKER, Portal
from tests.worker.engine import at_once
from worker import run_files, supervisor
from worker.host import this_process
from worker.ownership import Claim, claim
from worker.scheduler import tidy

pytestmark = pytest.mark.in_turn


def upload(
    content: bytes = b"name,size\ncore,3\n", name: str = "hosts.csv", kind: str = "text/csv"
) -> Upload:
    return Upload(name, io.BytesIO(content), kind)


def rows(portal: Portal) -> list[RunFile]:
    with portal.platform.session() as db:
        return list(db.scalars(select(RunFile).order_by(RunFile.id)))


def chunks(portal: Portal) -> int:
    with portal.platform.session() as db:
        return len(list(db.scalars(select(FileChunk.key))))


def settled(portal: Portal) -> None:
    """Wait until the worker has done what it does after a run."""
    portal.supervisor().filer.ask(lambda: None).wait(10)


def test_a_run_gets_its_file_and_nothing_of_it_stays(portal: Portal):
    asked = portal.submit("ReadsAFile", raw={"table": upload()})
    assert asked.data == {
        "table": {"name": "hosts.csv", "size": 17, "content_type": "text/csv"},
        "note": "",
    }
    assert [(row.name, row.variable, row.result_id) for row in rows(portal)] == [
        ("hosts.csv", "table", asked.id)
    ]
    result = portal.execute(asked)
    assert result.return_value == {
        "name": "hosts.csv",
        "size": 17,
        "first": "name",
        "rows": [["name", "size"], ["core", "3"]],
    }
    settled(portal)
    assert rows(portal) == []
    assert chunks(portal) == 0
    assert list(Path(portal.settings.instance, "runs").iterdir()) == []
    assert result.data["table"]["name"] == "hosts.csv"


def test_of_uploads_in_the_same_moment_no_more_are_kept_than_one_may(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    limits = replace(portal.settings.limits, kept_files=2)
    portal.settings = replace(portal.settings, limits=limits)
    # Each has found room before any has stored its file.
    barrier = threading.Barrier(4, timeout=PATIENCE_SECONDS)
    keep = run_files._keep

    def wait_and_keep(*args: Any, **options: Any) -> str:
        barrier.wait()
        return keep(*args, **options)

    monkeypatch.setattr(run_files, "_keep", wait_and_keep)

    def ask() -> str:
        try:
            portal.submit("ReadsAFile", raw={"table": upload()})
        except InvalidData as refusal:
            return str(refusal)
        return ""

    answers = at_once(ask, ask, ask, ask)
    refused = [answer for answer in answers if answer]
    assert len(refused) == 2
    assert all("keep 2 files already, and may keep 2" in answer for answer in refused)
    # And of those that were refused nothing stays.
    assert len(rows(portal)) == 2
    assert chunks(portal) == 2


def test_a_job_may_take_its_file_apart(portal: Portal):
    result = portal.run("TakesAFileApart", raw={"table": upload(b"a,b")})
    assert (result.status, result.return_value) == ("completed", "a,b")


def test_an_optional_file_may_be_left_out(portal: Portal):
    result = portal.run("ReadsAFile", raw={})
    assert (result.status, result.return_value, result.uploads) == ("completed", None, 0)


def test_a_file_is_there_for_every_attempt_and_gone_after_the_last(portal: Portal, tmp_path: Path):
    given = {"table": upload(b"again and again"), "mark": str(tmp_path / "mark")}
    asked = portal.submit("ReadsAFileTwice", raw=given)
    assert portal.execute(asked).status == "pending"
    settled(portal)
    assert len(rows(portal)) == 1
    with portal.platform.session() as db:
        db.execute(update(JobResult).where(JobResult.id == asked.id).values(not_before=None))
        db.commit()
    result = portal.execute(asked)
    assert (result.status, result.return_value) == ("completed", "again and again")
    settled(portal)
    assert rows(portal) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (upload(b"x" * (1024 * 1024 + 1)), "The file is larger than 1 MB, the most that is taken here."),
        (upload(name="hosts.exe", kind="application/x-msdownload"), "Choose a file of another kind"),
        (upload(name="../../"), "The file needs a name."),
        ("hosts.csv", "Choose a file."),
        ({"name": "hosts.csv", "path": "/etc/passwd"}, "Choose a file."),
        ([upload(), upload()], "Choose a file."),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(portal: Portal, given: Any, sentence: str):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("ReadsAFile", raw={"table": given})
    assert sentence in refusal.value.errors["table"][0]  # type: ignore[call-overload]
    assert (rows(portal), chunks(portal)) == ([], 0)


def test_a_file_that_grows_while_it_is_read_is_refused(portal: Portal):
    growing = Upload("hosts.csv", io.BytesIO(b"name,size"), "text/csv", 4)
    with pytest.raises(InvalidData) as refusal:
        portal.submit("ReadsAFile", raw={"table": growing})
    assert refusal.value.errors == {"table": ["The file grew while it was read."]}
    assert (rows(portal), chunks(portal)) == ([], 0)


def test_the_portal_has_a_limit_of_its_own(portal: Portal):
    portal.settings = replace(portal.settings, upload_bytes=10)
    with pytest.raises(InvalidData, match="The file is larger than 10 bytes"):
        portal.submit("ReadsAFile", raw={"table": upload()})
    assert (rows(portal), chunks(portal)) == ([], 0)


def test_a_file_of_a_run_that_is_not_stored_is_not_kept(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("the rules broke")

    monkeypatch.setattr("worker.submit.rules.admit", breaks)
    with pytest.raises(RuntimeError):
        portal.submit("ReadsAFile", raw={"table": upload()})
    assert (rows(portal), chunks(portal)) == ([], 0)


def test_a_run_whose_commit_was_not_answered_has_its_file(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    commit = Session.commit

    def without_answer(db: Session) -> None:
        stored = [each for each in db.identity_map.values() if isinstance(each, JobResult)]
        commit(db)
        if stored:
            raise OperationalError("COMMIT", None, ConnectionError("the server went away"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", without_answer)
        with pytest.raises(OperationalError):
            portal.submit("ReadsAFile", raw={"table": upload()})
    with portal.platform.session() as db:
        stored = db.scalars(select(JobResult)).one()
    assert portal.execute(stored).return_value["name"] == "hosts.csv"  # type: ignore[index]


def test_the_same_request_again_keeps_its_file_once(portal: Portal):
    first = portal.submit("ReadsAFile", raw={"table": upload()}, idempotency_key="k")
    again = portal.submit("ReadsAFile", raw={"table": upload()}, idempotency_key="k")
    assert (again.id, again.repeated, len(rows(portal))) == (first.id, True, 1)
    with pytest.raises(InvalidData, match="used before"):
        portal.submit("ReadsAFile", raw={"table": upload(b"name\nother\n")}, idempotency_key="k")


def test_a_job_may_judge_its_file_before_it_runs(portal: Portal):
    with pytest.raises(InvalidData, match=r"hosts\.csv has no column called name"):
        portal.submit("ChecksItsFile", raw={"table": upload(b"a,b\n")})
    assert portal.run("ChecksItsFile", raw={"table": upload(b"name,b\n")}).return_value == "name,b\n"


@pytest.mark.parametrize("gone", ["content", "row"])
def test_a_file_that_is_gone_ends_the_run_before_its_code(portal: Portal, gone: str):
    asked = portal.submit("ReadsAFile", raw={"table": upload()})
    files, key = file_store(portal.settings, portal.platform.engine), rows(portal)[0].key
    if gone == "content":
        files.delete(key)
    else:
        run_files.remove(portal.platform.engine, files, [key])
    result = portal.execute(asked)
    assert (result.status, result.cause) == (
        "errored",
        "A file that this run was given is not there any more.",
    )


def test_what_belongs_to_nothing_is_swept_up(portal: Portal):
    files = file_store(portal.settings, portal.platform.engine)
    waiting = portal.submit("ReadsAFile", raw={"table": upload()})
    canceled = portal.submit("ReadsAFile", raw={"table": upload()})
    portal.cancel(canceled)
    with portal.platform.session() as db:
        db.add(RunFile(key="a" * 40, name="orphan", size_bytes=1, created_at=now() - timedelta(hours=7)))
        db.add(RunFile(key="b" * 40, name="on its way", size_bytes=1))
        db.commit()
    assert run_files.sweep(portal.platform.engine, files) == 2
    assert [(row.name, row.result_id) for row in rows(portal)] == [
        ("hosts.csv", waiting.id),
        ("on its way", None),
    ]


def test_the_scheduler_removes_the_files_of_runs_that_never_began(portal: Portal):
    canceled = portal.submit("ReadsAFile", raw={"table": upload()})
    portal.cancel(canceled)
    tidy(portal.settings, portal.platform)
    assert (rows(portal), chunks(portal)) == ([], 0)


def claimed(portal: Portal, asked: JobResult, worker: str = "other") -> Claim:
    found = claim(portal.platform, asked.id, worker=worker, process=this_process())
    assert found is not None
    return found


def test_the_end_of_an_attempt_leaves_the_files_of_the_next(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = portal.submit("ReadsAFileTwice", raw={"table": upload(), "mark": str(tmp_path / "mark")})
    lent: list[dict[str, Any]] = []

    def taken_at_once(*_: object) -> None:
        with portal.platform.session() as db:
            db.execute(update(JobResult).where(JobResult.id == asked.id).values(not_before=None))
            db.commit()
        folder = run_files.folder_of(portal.settings, claimed(portal, asked))
        files = file_store(portal.settings, portal.platform.engine)
        lent.append(run_files.lend(portal.platform.engine, files, asked.id, folder))

    monkeypatch.setattr("worker.supervisor.release", taken_at_once)
    portal.execute(asked)
    assert Path(lent[0]["table"]["path"]).read_bytes() == b"name,size\ncore,3\n"


def test_what_a_worker_that_died_left_on_the_disk_is_removed(portal: Portal):
    ended, going_on = portal.run("ReadsAFile"), portal.submit("ReadsAFile")
    ours = claimed(portal, going_on, WORKER)
    kept = run_files.folder_of(portal.settings, ours)
    left = [
        run_files.folder_of(portal.settings, replace(ours, result_id=ended.id)),
        run_files.folder_of(portal.settings, replace(ours, attempt=ours.attempt - 1)),
    ]
    for folder in (kept, *left):
        folder.mkdir(parents=True)
        (folder / "input-1").write_text("name,size")
    run_files.remove_stale_folders(portal.platform.engine, run_files.folders_of(portal.settings))
    assert list(run_files.folders_of(portal.settings).iterdir()) == [kept]


class Store:
    """A store of files that is not as it should be."""

    def __init__(self, portal: Portal, **methods: Any) -> None:
        self._files = file_store(portal.settings, portal.platform.engine)
        self.__dict__.update(methods)
        portal.supervisor()._files = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


def test_a_store_that_breaks_ends_the_run_before_its_code(portal: Portal):
    def breaks(*_: object) -> None:
        raise RuntimeError("no region")

    asked = portal.submit("ReadsAFile", raw={"table": upload()})
    Store(portal, open=breaks)
    result = portal.execute(asked)
    assert (result.status, result.cause) == ("errored", "The files of this run cannot be had: RuntimeError.")


def test_a_slow_store_has_nobody_take_the_run_for_lost(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.05)
    asked = portal.submit("ReadsAFile", raw={"table": upload()})

    def beats_on() -> None:
        beat = portal.result(asked).beat
        until(lambda: portal.result(asked).beat > beat, "a beat")

    def opened(key: str) -> Any:
        beats_on()
        return store._files.open(key)

    store = Store(portal, open=opened)
    assert portal.execute(asked).status == "completed"

    def put(*arguments: Any, **options: Any) -> str:
        beats_on()
        return store._files.put(*arguments, **options)

    asked = portal.submit("MakesFiles")
    store = Store(portal, put=put)
    assert portal.execute(asked).status == "completed"
    assert len(rows(portal)) == 3


def test_a_run_keeps_the_files_it_makes(portal: Portal):
    result = portal.run("MakesFiles")
    made = rows(portal)
    assert [(row.name, row.content_type, row.size_bytes, row.result_id) for row in made] == [
        ("report.txt", "text/plain", 8, result.id),
        ("data.bin", "application/octet-stream", 256, result.id),
        ("table.csv", "text/csv", 8, result.id),
    ]
    assert result.return_value == f"/results/{result.id}/files/{made[0].id}"
    files = file_store(portal.settings, portal.platform.engine)
    with files.open(made[1].key) as content:
        assert content.read() == bytes(range(256))
    entry = portal.entries(result)[0]
    assert (entry.message, entry.object_text, entry.object_url) == (
        "Created a file",
        "report.txt",
        f"/results/{result.id}/files/{made[0].id}",
    )
    assert list(Path(portal.settings.instance, "runs").iterdir()) == []


def test_what_is_too_large_or_no_file_is_refused_to_the_job(portal: Portal):
    result = portal.run("MakesTooMuch")
    assert [message for level, _, message in portal.messages(result) if level == "warning"] == [
        "The file is larger than 10 MB, the most that is taken here.",
        "ValueError: A file needs a name.",
        "TypeError: The content of a file is text or bytes, not int.",
    ]
    assert [row.name for row in rows(portal)] == ["small.bin"]
    assert result.status == "completed"
