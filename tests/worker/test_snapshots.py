"""Snapshots: job files that reach a machine which does not have them."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from jobs.errors import JobNotFound
from jobs.loading import Source
from store.models import JobRecord, JobResult, JobSource, SourceSnapshot, Status
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from tests.worker.conftest import Portal, StartWorker
from worker import snapshots
from worker.refresh import RefreshReport, refresh
from worker.snapshots import NoSnapshot, Snapshot, TooLarge, keep, materialise, take
from worker.sources import snapshot_of, sources_for_run

pytestmark = pytest.mark.in_turn

JOB = "from jobs import Job\nclass Greets(Job):\n    def run(self):\n        return {value!r}\n"

#: What a child of a worker does to have a job's class.
LOAD = """
import json, sys
from jobs.loading import Source, install, load_class
sources = [Source.from_data(data) for data in json.load(sys.stdin)]
install(sources)
cls, module = load_class(sources, "local/greets/Greets")
print(json.dumps([cls().run(), module.path]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "my jobs"
    path.mkdir()
    (path / "greets.py").write_text(JOB.format(value="from disk"))
    return path


def source(*folders: Path) -> Source:
    return Source("local", folders=tuple(str(folder) for folder in folders))


def taken(*folders: Path) -> Snapshot:
    snapshot = take(source(*folders))
    assert snapshot is not None
    return snapshot


def names(snapshot: Snapshot) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(snapshot.archive)) as tar:
        return tar.getnames()


def refreshed(platform: Platform, settings: Settings) -> RefreshReport:
    with platform.session() as db:
        return refresh(db, settings, enable_new=True)


def kept(platform: Platform) -> set[str]:
    with platform.reading() as db:
        return {row.digest for row in db.query(SourceSnapshot)}


def current_digest(platform: Platform) -> str:
    with platform.reading() as db:
        return db.query(JobSource).filter_by(name="local").one().digest


def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of another machine: an instance folder of its own, and no job files."""
    instance = tmp_path / "another machine"
    instance.mkdir(exist_ok=True)
    return replace(settings, instance=instance, jobs_roots=(tmp_path / "nowhere",))


# --- Taking one ---


def test_the_same_files_make_the_same_snapshot_wherever_and_whenever(folder: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    os.utime(copy / "greets.py", (1, 1))
    assert taken(folder) == taken(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "greets.py").write_text("pass\n"),
        lambda folder: (folder / "greets.py").rename(folder / "other.py"),
        lambda folder: (folder / "greets.py").chmod(0o755),
        lambda folder: (folder / "settings.yaml").touch(),
    ],
)
def test_any_change_makes_another_snapshot(folder: Path, change: Callable[[Path], object]):
    before = taken(folder)
    change(folder)
    assert taken(folder).digest != before.digest


def test_what_lies_beside_the_code_comes_along_and_rubbish_does_not(folder: Path):
    for name in ("pack/__init__.py", "data/hosts.yaml", "templates/mail.txt", "Größe.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for name in ("__pycache__/greets.pyc", ".git/config", ".env", "node_modules/x.js", "old.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert names(taken(folder)) == [
        "0",
        "0/Größe.csv",
        "0/data/hosts.yaml",
        "0/greets.py",
        "0/pack/__init__.py",
        "0/templates/mail.txt",
    ]


def test_several_folders_are_kept_apart_in_their_order(
    folder: Path, tmp_path: Path, platform: Platform, settings: Settings
):
    second = tmp_path / "second"
    second.mkdir()
    (second / "greets.py").write_text("second = True\n")
    snapshot = taken(folder, tmp_path / "missing", second)
    with platform.session() as db:
        keep(db, [snapshot])
        db.commit()
    first, missing, last = materialise(platform, settings, snapshot.digest)
    assert (Path(first, "greets.py").read_text(), Path(last, "greets.py").read_text()) == (
        (folder / "greets.py").read_text(),
        "second = True\n",
    )
    assert list(Path(missing).iterdir()) == []


def test_links_lead_nowhere_else(folder: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("hush")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "around").symlink_to(folder)
    (folder / "broken").symlink_to(folder / "no such file")
    # As in a Kubernetes volume.
    (folder / "..2026").mkdir()
    (folder / "..2026" / "volume.py").write_text("volume = True\n")
    (folder / "volume.py").symlink_to(Path("..2026", "volume.py"))
    snapshot = taken(folder)
    assert names(snapshot) == ["0", "0/greets.py", "0/volume.py"]
    assert snapshot.left_out == ("0/around", "0/broken", "0/out", "0/outside")
    assert b"hush" not in gzip.decompress(snapshot.archive)


def test_pipes_and_large_files_are_left_out_and_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshots, "MOST_FILE_BYTES", 1000)
    (folder / "large.csv").write_bytes(b"x" * 1001)
    (folder / "fits.csv").write_bytes(b"x" * 1000)
    os.mkfifo(folder / "pipe")
    snapshot = taken(folder)
    assert names(snapshot) == ["0", "0/fits.csv", "0/greets.py"]
    assert snapshot.left_out == ("0/large.csv", "0/pipe")


@pytest.mark.parametrize(
    ("limit", "most"), [("MOST_FILES", 3), ("MOST_CONTENT_BYTES", 5000), ("MOST_ARCHIVE_BYTES", 4000)]
)
def test_a_source_beyond_the_limits_has_no_snapshot_and_that_is_told(
    folder: Path,
    platform: Platform,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    most: int,
):
    for number in range(3):
        (folder / f"{number}.bin").write_bytes(os.urandom(2000))
    monkeypatch.setattr(snapshots, limit, most)
    with pytest.raises(TooLarge, match="too large to be sent to workers on other machines"):
        take(source(folder))
    report = refreshed(platform, replace(settings, jobs_roots=(folder,)))
    assert report.new == ["local/greets/Greets"], "its jobs run here all the same"
    assert (report.errors, "too large" in report.notes[0], kept(platform)) == ([], True, set())


def test_a_source_without_folders_has_none(tmp_path: Path):
    assert take(source(tmp_path / "nowhere")) is None
    assert take(Source("plugins", modules=("json",))) is None


# --- Keeping them ---


def test_a_refresh_keeps_one_snapshot_for_each_state_of_the_files(
    folder: Path, platform: Platform, settings: Settings
):
    settings = replace(settings, jobs_roots=(folder,))
    refreshed(platform, settings)
    refreshed(platform, settings)
    assert kept(platform) == {taken(folder).digest} == {current_digest(platform)}
    (folder / "greets.py").write_text(JOB.format(value="edited"))
    refreshed(platform, settings)
    assert current_digest(platform) == taken(folder).digest
    assert len(kept(platform)) == 2


def test_old_snapshots_go_but_for_what_is_needed(
    folder: Path, platform: Platform, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshots, "KEPT_ROWS", 1)
    settings = replace(settings, jobs_roots=(folder,))
    digests = []
    for number in range(5):
        (folder / "greets.py").write_text(JOB.format(value=number))
        refreshed(platform, settings)
        digests.append(current_digest(platform))
        if number == 0:
            with platform.session() as db:
                for status in (Status.PENDING, Status.COMPLETED):
                    db.add(
                        JobResult(
                            class_path="local/greets/Greets",
                            name="Greets",
                            username="alice",
                            time_limit=1,
                            status=status,
                            source_digest=digests[0] if status == Status.PENDING else None,
                        )
                    )
                db.commit()
    assert kept(platform) == {digests[0], digests[3], digests[4]}, (
        "a waiting run, the newest spare, the current"
    )
    with platform.session() as db:
        db.query(JobResult).update({"status": Status.COMPLETED})
        db.commit()
    refreshed(platform, settings)
    assert kept(platform) == {digests[3], digests[4]}


def test_a_refresh_where_the_files_are_not_removes_nothing(
    folder: Path, platform: Platform, settings: Settings, tmp_path: Path
):
    here = replace(settings, jobs_roots=(folder,))
    refreshed(platform, here)
    digest = current_digest(platform)
    report = refreshed(platform, elsewhere(settings, tmp_path))
    assert (report.gone, "is not on this machine" in report.notes[0]) == ([], True)
    with platform.reading() as db:
        assert db.query(JobRecord).one().installed
    assert current_digest(platform) == digest
    (folder / "greets.py").unlink()
    assert refreshed(platform, here).gone == ["local/greets/Greets"], "an empty folder is an answer"


# --- Unpacking one ---


@pytest.fixture
def stored(folder: Path, platform: Platform) -> Snapshot:
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / f"{'long' * 40}.yaml").write_text("a: 1\n")
    snapshot = taken(folder)
    with platform.session() as db:
        keep(db, [snapshot])
        db.commit()
    return snapshot


def test_what_is_unpacked_is_what_was_taken(
    stored: Snapshot, folder: Path, platform: Platform, settings: Settings
):
    [unpacked] = materialise(platform, settings, stored.digest)
    assert taken(Path(unpacked)) == stored
    assert os.access(Path(unpacked, "tool.sh"), os.X_OK)
    assert not os.access(Path(unpacked, "greets.py"), os.X_OK)


def test_a_second_time_asks_nobody(stored: Snapshot, platform: Platform, settings: Settings):
    folders = materialise(platform, settings, stored.digest)
    nobody = Platform("sqlite:////nonexistent/errand.db")
    assert materialise(nobody, settings, stored.digest) == folders
    nobody.dispose()


def test_many_may_unpack_at_once(stored: Snapshot, platform: Platform, settings: Settings):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: materialise(platform, settings, stored.digest), range(16)))
    assert len(found) == 1
    assert [path.name for path in (settings.instance / "snapshots").iterdir()] == [stored.digest]


def test_a_machine_keeps_so_many_and_what_is_in_use(
    folder: Path, platform: Platform, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshots, "KEPT_FOLDERS", 2)
    digests = []
    for number in range(5):
        (folder / "greets.py").write_text(JOB.format(value=number))
        snapshot = taken(folder)
        digests.append(snapshot.digest)
        with platform.session() as db:
            keep(db, [snapshot])
            if number == 0:
                db.add(
                    JobResult(
                        class_path="local/greets/Greets",
                        name="Greets",
                        username="alice",
                        time_limit=1,
                        status=Status.RUNNING,
                        source_digest=snapshot.digest,
                    )
                )
            db.commit()
        materialise(platform, settings, snapshot.digest)
        # As if it had been a while ago: file times are coarse.
        os.utime(settings.instance / "snapshots" / snapshot.digest, (number + 1, number + 1))
    left = {path.name for path in (settings.instance / "snapshots").iterdir()}
    assert left == {digests[0], digests[3], digests[4]}


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for attribute, value in more.items():
        setattr(made, attribute, value)
    return made


def bomb() -> bytes:
    """A small archive whose header claims, truthfully, to be followed by more than a snapshot may hold."""
    header = member("0/x", tarfile.XHDTYPE, size=snapshots._Limited.MOST_BYTES * 2).tobuf()
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as content:
        content.write(header)
        for _ in range(snapshots._Limited.MOST_BYTES // 2**20 + 2):
            content.write(bytes(2**20))
    return made.getvalue()


@pytest.mark.parametrize(
    "hostile",
    [
        lambda: archive((member("/etc/x"), b"x")),
        lambda: archive((member("../x"), b"x")),
        lambda: archive((member("0/../../x"), b"x")),
        lambda: archive((member("0//x"), b"x")),
        lambda: archive((member("x"), b"x")),
        lambda: archive((member("0/x", tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
        lambda: archive((member("0/x", tarfile.LNKTYPE, linkname="/etc/passwd"), b"")),
        lambda: archive((member("0/x", tarfile.FIFOTYPE), b"")),
        lambda: archive((member("0/x"), b"x"), (member("0/x"), b"y")),
        lambda: archive((member("0/x"), b"not what the digest says")),
        lambda: archive((member("0/x"), bytes(snapshots.MOST_FILE_BYTES + 1))),
        lambda: archive(*((member(f"0/{n}"), b"") for n in range(snapshots.MOST_FILES + 1))),
        lambda: b"no archive",
        lambda: archive((member("0/x"), os.urandom(5000)))[:2000],
        bomb,
    ],
)
def test_a_hostile_archive_leaves_nothing_behind(
    platform: Platform, settings: Settings, hostile: Callable[[], bytes]
):
    digest = "0" * 64
    with platform.session() as db:
        keep(db, [Snapshot("local", digest, hostile())])
        db.commit()
    with pytest.raises(NoSnapshot, match="000000000000"):
        materialise(platform, settings, digest)
    assert list((settings.instance / "snapshots").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "../../etc", "0" * 63, "0" * 64])
def test_what_is_no_snapshot_is_told(platform: Platform, settings: Settings, digest: str):
    with pytest.raises(NoSnapshot):
        materialise(platform, settings, digest)


# --- Which code a run uses ---


def test_where_the_files_are_an_edit_counts_at_once(folder: Path, platform: Platform, settings: Settings):
    settings = replace(settings, jobs_roots=(folder,))
    refreshed(platform, settings)
    sources = sources_for_run(platform, settings, "local/greets/Greets", current_digest(platform))
    assert sources[0].folders == (str(folder),)
    assert snapshot_of(sources, "local/greets/Greets") is None


def test_elsewhere_it_is_the_snapshot_of_the_last_refresh(
    folder: Path, platform: Platform, settings: Settings, tmp_path: Path
):
    refreshed(platform, replace(settings, jobs_roots=(folder,)))
    there = elsewhere(settings, tmp_path)
    first = current_digest(platform)
    sources = sources_for_run(platform, there, "local/greets/Greets")
    assert sources[0].folders == (str(there.instance / "snapshots" / first / "0"),)
    (folder / "greets.py").write_text(JOB.format(value="edited"))
    refreshed(platform, replace(settings, jobs_roots=(folder,)))
    second = current_digest(platform)
    assert snapshot_of(sources_for_run(platform, there, "local/greets/Greets"), "local/x/X") == second
    again = sources_for_run(platform, there, "local/greets/Greets", first)
    assert snapshot_of(again, "local/x/X") == first, "a run that names one keeps it"
    with platform.session() as db:
        db.execute(delete(SourceSnapshot).where(SourceSnapshot.digest == first))
        db.commit()
    again = sources_for_run(platform, there, "local/greets/Greets", first)
    assert snapshot_of(again, "local/x/X") == second, "unless it is gone"


def test_a_setting_has_runs_use_the_snapshot_everywhere(folder: Path, platform: Platform, settings: Settings):
    pinned = replace(settings, jobs_roots=(folder,), jobs_from_database=True)
    refreshed(platform, pinned)
    (folder / "greets.py").write_text("raise RuntimeError('not released yet')\n")
    sources = sources_for_run(platform, pinned, "local/greets/Greets")
    assert snapshot_of(sources, "local/greets/Greets") == current_digest(platform)
    assert "from disk" in Path(sources[0].folders[0], "greets.py").read_text()


def test_the_setting_takes_two_words(tmp_path: Path):
    assert load_settings(tmp_path, {"ERRAND_JOBS_FROM": "database"}).jobs_from_database
    assert not load_settings(tmp_path, {"ERRAND_JOBS_FROM": "folders"}).jobs_from_database
    with pytest.raises(SettingsError, match="write folders or database"):
        load_settings(tmp_path, {"ERRAND_JOBS_FROM": "git"})


def test_files_that_cannot_be_had_are_told_with_what_to_do(
    platform: Platform, settings: Settings, tmp_path: Path
):
    there = elsewhere(settings, tmp_path)
    with pytest.raises(JobNotFound, match=r"nowhere is not on this machine.*jobs refresh"):
        sources_for_run(platform, there, "local/greets/Greets")
    with pytest.raises(JobNotFound, match="ERRAND_JOBS_FROM"):
        sources_for_run(platform, replace(settings, jobs_from_database=True), "local/greets/Greets")


def test_a_process_without_the_files_loads_the_job(
    folder: Path, platform: Platform, settings: Settings, tmp_path: Path
):
    (folder / "greets.py").write_text(
        "from pathlib import Path\nfrom jobs import Job\nfrom words import WORD\n"
        "class Greets(Job):\n    def run(self):\n"
        "        return WORD + Path(__file__).with_name('name.txt').read_text()\n"
    )
    (folder / "words.py").write_text("WORD = 'hello '\n")
    (folder / "name.txt").write_text("world")
    refreshed(platform, replace(settings, jobs_roots=(folder,)))
    folder.rename(tmp_path / "gone")
    there = elsewhere(settings, tmp_path)
    sources = sources_for_run(platform, there, "local/greets/Greets")
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps([found.as_data() for found in sources]),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, path = json.loads(done.stdout)
    assert said == "hello world"
    assert Path(path).is_relative_to(there.instance)


def test_a_worker_on_another_machine_runs_the_job(
    folder: Path, portal: Portal, start_worker: StartWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    refreshed(portal.platform, replace(portal.settings, jobs_roots=(folder,)))
    with portal.platform.reading() as db:
        portal.jobs["Greets"] = db.query(JobRecord).filter_by(class_name="Greets").one()
    result = portal.submit("Greets")
    # What the documentation says such a worker needs, but no job files and an instance folder of its own.
    monkeypatch.setenv("DATABASE_URL", portal.settings.database_url)
    monkeypatch.setenv("DATA_DATABASE_URL", portal.settings.data_database_url)
    monkeypatch.setenv("SECRET_KEY", portal.settings.secret_key)
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path / "nowhere"))
    there = tmp_path / "another machine"
    assert start_worker("--burst", "--instance", str(there)).wait(60) == 0
    ended = portal.result(result)
    assert (ended.status, ended.return_value) == ("completed", "from disk"), ended.cause
    assert ended.source_digest == current_digest(portal.platform) == taken(folder).digest
    assert (there / "snapshots" / taken(folder).digest / "0" / "greets.py").is_file()
