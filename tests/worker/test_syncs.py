"""Git repositories as sources of jobs: real ones, over http and ssh, and what a bad one cannot do."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from store.lockbox import lock
from store.models import (
    AuditRecord,
    GitSource,
    JobRecord,
    JobSource,
    LoadError,
    SourceSnapshot,
    SourceSync,
    now,
)
from store.platform import Platform
from store.settings import Settings, environment
from tests.conftest import _bare_environment
from tests.git_servers import HttpServer, Upstream, ssh_server
from tests.waiting import until
from tests.worker.conftest import Portal, on_sqlite
from tests.worker.engine import at_once
from worker import failpoints, git, syncs
from worker.git_place import look_up
from worker.one_sync import perform
from worker.refresh import refresh
from worker.sources import sources_for_run
from worker.syncs import ask, forget, run_once, sync_now

JOB = "from jobs import Job\nclass {name}(Job):\n    def run(self):\n        return {value!r}\n"
TOKEN = "t0ken-that-nobody-may-see"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    server = HttpServer(tmp_path_factory.mktemp("repositories"))
    yield server
    server.stop()


@pytest.fixture
def upstream(http: HttpServer) -> Upstream:
    http.login = None
    shutil.rmtree(http.root / "jobs", ignore_errors=True)
    made = Upstream(http.root / "jobs")
    made.commit(
        {
            "README.md": "Jobs",
            "jobs/__init__.py": "",
            "jobs/hello.py": JOB.format(name="Hello", value="first"),
        }
    )
    return made


class Synced:
    """One git source of an instance, and its syncs."""

    def __init__(self, settings: Settings, platform: Platform, url: str) -> None:
        self.settings, self.platform = replace(settings, git_allow=("http", "file", "local")), platform
        with platform.session() as db:
            source = GitSource(slug="team", url=url)
            db.add(source)
            db.commit()
            self.id = source.id

    def change(self, **values: Any) -> None:
        with self.platform.session() as db:
            db.execute(update(GitSource).where(GitSource.id == self.id).values(**values))
            db.commit()

    def secrets(self, **secrets: str) -> None:
        self.change(secrets=lock(self.settings.secret_key, secrets), secret_names=list(secrets))

    def ask(self, **options: Any) -> SourceSync:
        with self.platform.session() as db:
            sync = ask(db, db.get_one(GitSource, self.id), **{"via": "page", "by": "root", **options})
            db.commit()
            return sync

    def sync(self, **options: Any) -> SourceSync:
        sync = self.ask(**options)
        assert sync_now(self.settings, self.platform, sync.id)
        return self.get(sync)

    def get(self, sync: SourceSync) -> SourceSync:
        with self.platform.reading() as db:
            return db.get_one(SourceSync, sync.id)

    @property
    def source(self) -> GitSource:
        with self.platform.reading() as db:
            return db.get_one(GitSource, self.id)

    @property
    def commit(self) -> str:
        with self.platform.reading() as db:
            return db.scalar(select(JobSource.code_commit).where(JobSource.name == "git.team")) or ""

    def jobs(self) -> dict[str, bool]:
        with self.platform.reading() as db:
            return {row.class_path: row.installed for row in db.query(JobRecord).filter_by(source="git.team")}


@pytest.fixture
def synced(settings: Settings, platform: Platform, upstream: Upstream, http: HttpServer) -> Synced:
    return Synced(settings, platform, f"{http.url}/jobs")


# --- What comes of a sync ---


def test_jobs_come_change_and_go_with_their_commits(synced: Synced, upstream: Upstream, monkeypatch):
    first = upstream.git("rev-parse", "HEAD")
    sync = synced.sync()
    assert (sync.state, sync.from_commit, sync.to_commit, sync.errors) == ("changed", "", first, [])
    assert sync.jobs == {"added": ["git.team/hello/Hello"], "removed": [], "changed": []}
    with synced.platform.reading() as db:
        record = db.query(JobRecord).filter_by(source="git.team").one()
        assert (record.code_commit, record.enabled, record.installed) == (first, False, True)
        assert db.query(JobSource).filter_by(name="git.team").one().kind == "git"
        noted = db.scalars(select(AuditRecord).where(AuditRecord.action == "source.commit")).one()
        assert (noted.actor, noted.subject, noted.after) == ("root", "git.team", {"commit": first})
    assert synced.sync().outcome == "Nothing is new."

    second = upstream.commit(
        {
            "jobs/hello.py": JOB.format(name="Hello", value="second"),
            "jobs/more.py": "from .hello import Hello as Other\n" + JOB.format(name="More", value=1),
            "jobs/new_and_broken.py": "import no_such_package",
        }
    )
    sync = synced.sync()
    assert (sync.state, sync.from_commit, sync.to_commit) == ("changed", first, second)
    assert sync.jobs == {"added": ["git.team/more/More"], "removed": [], "changed": ["git.team/hello/Hello"]}
    # A file that never worked keeps nobody from anything. It is named as the repository has it.
    assert sync.errors[0]["path"] == "jobs/new_and_broken.py"
    assert "from jobs/new_and_broken.py" in sync.errors[0]["message"]

    upstream.commit(
        {
            "jobs/hello.py": None,
            "jobs/more.py": JOB.format(name="More", value=2),
            "jobs/new_and_broken.py": None,
        }
    )
    sync = synced.sync()
    assert sync.jobs["removed"] == ["git.team/hello/Hello"]
    assert synced.jobs() == {"git.team/hello/Hello": False, "git.team/more/More": True}
    with synced.platform.session() as db:
        assert db.query(LoadError).count() == 0
        # A refresh of folders and plugins leaves it as it is, and the other way round.
        monkeypatch.setattr("worker.refresh.discover", lambda *_, **__: [])
        refresh(db, replace(synced.settings, jobs_roots=(synced.settings.instance,)))
        assert {row.name for row in db.query(JobSource)} == {"local", "git.team"}
    assert synced.jobs() == {"git.team/hello/Hello": False, "git.team/more/More": True}

    with synced.platform.session() as db:
        forget(db, db.get_one(GitSource, synced.id))
        db.commit()
        assert {row.name for row in db.query(JobSource)} == {"local"}
        assert db.query(SourceSync).count() == 0
    assert synced.jobs() == {"git.team/hello/Hello": False, "git.team/more/More": False}


def test_branches_and_tags_are_followed_and_unknown_ones_told(synced: Synced, upstream: Upstream):
    upstream.git("tag", "-a", "v1", "-m", "One")
    tagged = upstream.git("rev-parse", "HEAD")
    upstream.git("checkout", "-q", "-b", "team/next")
    branched = upstream.commit({"jobs/next.py": JOB.format(name="Next", value=1)})
    upstream.git("checkout", "-q", "main")
    synced.change(ref="v1")
    assert synced.sync().to_commit == tagged
    synced.change(ref="team/next")
    assert synced.sync().to_commit == branched
    assert synced.source.found_ref == "refs/heads/team/next"
    synced.change(ref="nowhere")
    sync = synced.sync()
    assert (sync.state, sync.field) == ("failed", "ref")
    assert sync.outcome == "The repository has no branch and no tag nowhere."
    assert synced.commit == branched


def test_a_bad_commit_never_replaces_a_good_one(synced: Synced, upstream: Upstream):
    upstream.commit({"jobs/other.py": JOB.format(name="Other", value=1)})
    good = synced.sync().to_commit
    # One that has but an advice to give is good.
    long = JOB.format(name="Other", value=1) + "    class Meta: name = 'n' * 101\n"
    advised = upstream.commit({"jobs/other.py": long})
    assert synced.sync().errors == []
    assert synced.commit == advised != good
    good = advised
    broken = upstream.commit({"jobs/hello.py": "def f(:"})
    sync = synced.sync()
    assert (sync.state, sync.field, sync.to_commit, sync.can_be_forced) == ("failed", "jobs", broken, True)
    assert "hello could be loaded before, and cannot now" in sync.outcome
    assert "SyntaxError" in sync.errors[0]["message"]
    assert (synced.commit, synced.jobs()["git.team/hello/Hello"]) == (good, True)
    # By itself nobody looks at it a second time, and no history of that is kept.
    before = len(_syncs(synced))
    synced.change(interval_minutes=5, checked_at=now() - timedelta(minutes=6))
    assert run_once(synced.settings, synced.platform)
    assert not run_once(synced.settings, synced.platform)
    assert len(_syncs(synced)) == before
    # Whoever knows better says so, for this commit.
    assert synced.sync(anyway=broken).state == "changed"
    assert (synced.commit, synced.jobs()["git.team/hello/Hello"]) == (broken, False)

    for files, field, said in (
        (
            {"jobs/hello.py": "import os; os._exit(3)", "jobs/other.py": "1 / 0"},
            "",
            "no file of it can be loaded",
        ),
        ({"jobs/hello.py": "x = 1", "jobs/other.py": "x = 1"}, "path", "there is no job in it"),
        (
            {"jobs/hello.py": None, "jobs/other.py": None, "jobs/__init__.py": None},
            "path",
            "There is no folder jobs",
        ),
    ):
        upstream.commit(files)
        sync = synced.sync()
        assert (sync.state, sync.field, sync.can_be_forced) == ("failed", field, False)
        assert said in sync.outcome
        assert synced.commit == broken
    with synced.platform.reading() as db:
        assert db.query(SourceSnapshot).filter_by(code_commit=broken).count() == 1


def test_a_file_that_hangs_is_stopped(synced: Synced, upstream: Upstream):
    good = synced.sync().to_commit
    upstream.commit({"jobs/hello.py": "while True: pass"})
    sync = synced.ask()
    with synced.platform.session() as db:
        assert syncs._claim(db, sync.id)
    perform(synced.settings, synced.platform, sync.id, module_seconds=0.5)
    assert "was still loading after 0.5 seconds" in synced.get(sync).outcome
    assert synced.commit == good


def _syncs(synced: Synced) -> list[SourceSync]:
    with synced.platform.reading() as db:
        return db.query(SourceSync).filter_by(source_id=synced.id).all()


@on_sqlite
def test_a_run_keeps_the_code_it_began_with_and_says_its_commit(
    portal: Portal, upstream: Upstream, http: HttpServer
):
    synced = Synced(portal.settings, portal.platform, f"{http.url}/jobs")
    first = synced.sync().to_commit
    with portal.platform.session() as db:
        record = db.query(JobRecord).filter_by(source="git.team").one()
        record.enabled = True
        db.commit()
        portal.jobs["Hello"] = record
    ran = portal.run("Hello")
    assert (ran.status, ran.return_value, ran.code_commit) == ("completed", "first", first)
    assert ran.source_digest
    upstream.commit({"jobs/hello.py": JOB.format(name="Hello", value="second")})
    second = synced.sync().to_commit
    again = portal.run("Hello")
    assert (again.return_value, again.code_commit) == ("second", second)
    # A further attempt of the first one: as it began.
    [own] = [
        each
        for each in sources_for_run(portal.platform, portal.settings, ran.class_path, ran.source_digest)
        if each.name == "git.team"
    ]
    assert own.commit == first
    assert "first" in Path(own.folders[0], "hello.py").read_text()


# --- What a repository may not do ---


@pytest.mark.parametrize("target", ["../../outside", "/etc/passwd", "..", "deep/er/up/../.."])
def test_a_link_that_leads_out_is_refused(synced: Synced, upstream: Upstream, target: str):
    good = synced.sync().to_commit
    jobs = upstream.folder / "jobs"
    (jobs / "deep" / "er").mkdir(parents=True)
    # Leads up, and stays inside: the last of the targets only leaves because of it.
    (jobs / "deep" / "er" / "up").symlink_to("..")
    (jobs / "link").symlink_to(target)
    upstream.commit({})
    sync = synced.sync()
    assert (sync.state, sync.field) == ("failed", "path")
    assert "The link link leads out of the folder of job files" in sync.outcome
    assert synced.commit == good
    (jobs / "link").unlink()
    upstream.commit({})
    assert synced.sync().state == "changed"


def test_links_within_the_folder_work_and_nothing_of_a_repository_runs(
    synced: Synced, upstream: Upstream, tmp_path: Path
):
    marker = tmp_path / "ran"
    (upstream.folder / "jobs" / "alias.py").symlink_to("hello.py")
    upstream.git("clone", "-q", str(upstream.folder), str(tmp_path / "sub"), cwd=tmp_path)
    upstream.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "sub"), "jobs/sub"
    )
    upstream.commit(
        {
            ".gitattributes": "*.py filter=evil ident\n",
            "jobs/big.txt": "version https://git-lfs.github.com/spec/v1\n",
            ".githooks/post-checkout": f"#!/bin/sh\ntouch {marker}\n",
        }
    )
    sync = synced.sync()
    assert sync.jobs["added"] == ["git.team/alias/Hello", "git.team/hello/Hello"]
    with synced.platform.reading() as db:
        assert "The submodule sub is left out." in db.query(JobSource).filter_by(name="git.team").one().note
    assert not marker.exists()
    assert list((synced.settings.instance / "git").iterdir()) == []


def test_one_file_under_two_names_of_a_tree_is_refused(synced: Synced, upstream: Upstream):
    blob = upstream.git("hash-object", "-w", "--stdin", stdin=b"x = 1\n")
    link = upstream.git("hash-object", "-w", "--stdin", stdin=b"..")
    inner = upstream.git("mktree", stdin=f"100644 blob {blob}\tx.py\n".encode())
    # A link and a folder of one name: who writes the link first writes through it.
    entry = [(b"120000 d", link), (b"40000 d", inner)]
    raw = b"".join(mode + b"\0" + bytes.fromhex(oid) for mode, oid in entry)
    tree = upstream.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)
    top = upstream.git("mktree", stdin=f"040000 tree {tree}\tjobs\n".encode())
    commit = upstream.git("commit-tree", top, "-m", "Evil")
    upstream.git("update-ref", "refs/heads/main", commit)
    sync = synced.sync()
    assert (sync.state, sync.field) == ("failed", "path")
    assert not (synced.settings.instance / "git" / "x.py").exists()


def test_a_huge_repository_is_refused_and_leaves_nothing(synced: Synced, upstream: Upstream, monkeypatch):
    upstream.commit({"data.bin": os.urandom(3 * 1024**2)})
    with monkeypatch.context() as patch:
        patch.setattr(git, "MOST_REPOSITORY_BYTES", 1024**2)
        assert synced.sync().outcome == "The repository is too large: at most 1 MB of it are fetched."
    with monkeypatch.context() as patch:
        patch.setattr(git, "MOST_FILES", 1)
        sync = synced.sync()
    assert "too many or too large files" in sync.outcome
    assert list((synced.settings.instance / "git").iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(git, "GIT_SECONDS", 0.0)
        assert "It took longer than 0 seconds" in synced.sync().outcome


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "ext::sh -c touch% /tmp/pwned"}, "url"),
        ({"url": "--upload-pack=touch /tmp/pwned"}, "url"),
        ({"url": "ssh://-oProxyCommand=x/jobs"}, "url"),
        ({"url": "-oProxyCommand=x:jobs"}, "url"),
        ({"url": "git://127.0.0.1/jobs"}, "url"),
        ({"ref": "--upload-pack=x"}, "ref"),
        ({"ref": "main:refs/heads/x"}, "ref"),
        ({"ref": "a..b"}, "ref"),
        ({"ref": "refs/heads/*"}, "ref"),
    ],
)
def test_nothing_that_looks_like_an_option_reaches_git(
    synced: Synced, values: dict[str, str], field: str, monkeypatch
):
    monkeypatch.setattr(subprocess, "Popen", None)
    synced.change(**values)
    sync = synced.sync()
    assert (sync.state, sync.field) == ("failed", field)


def test_without_leave_there_is_no_plain_http_no_file_and_nothing_of_this_machine(
    synced: Synced, upstream: Upstream
):
    allowed = synced.settings
    synced.settings = replace(allowed, git_allow=("http",))
    assert "address of the server itself" in synced.sync().outcome
    for url in (synced.source.url, upstream.folder.as_uri()):
        synced.change(url=url)
        synced.settings = replace(allowed, git_allow=())
        assert "is not allowed here" in synced.sync().outcome
    synced.settings = allowed
    assert synced.sync().state == "changed"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names of servers that only whoever checks an address can look up, and where they lead then."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host not in known:
            return real(host, port, *rest, **options)
        if not known[host]:
            raise socket.gaierror
        return [row for address in known[host] for row in real(address, port, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_git_goes_where_the_name_led_when_it_was_checked(
    synced: Synced, http: HttpServer, names: dict[str, list[str]], monkeypatch
):
    port = http.url.rpartition(":")[2]
    names["jobs.invalid"] = ["127.0.0.9", "127.0.0.1"]
    synced.change(url=f"http://Jobs.invalid:{port}/jobs")
    assert synced.sync().state == "changed", "git itself would not find it"
    names["localhost"] = ["127.0.0.9"]
    synced.change(url=f"http://localhost:{port}/jobs")
    seen = len(http.seen)
    assert (synced.sync().outcome, len(http.seen)) == ("The server does not answer.", seen)
    names["jobs.invalid"] = []
    synced.change(url="http://jobs.invalid/jobs")
    sync = synced.sync()
    assert sync.outcome == "The server does not answer: nobody knows where jobs.invalid is."
    assert look_up("http://jobs.invalid/jobs").http_options == []
    # A proxy may know, and then it is the proxy that goes there.
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    assert not look_up("http://jobs.invalid/jobs").lost
    monkeypatch.setenv("no_proxy", ".invalid")
    assert look_up("http://jobs.invalid/jobs").lost
    # One address of this machine among others is enough, however it is written.
    synced.settings = replace(synced.settings, git_allow=("http",))
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"):
        names["jobs.invalid"] = ["192.0.2.1", address]
        assert "address of the server itself" in synced.sync().outcome, address
    names["jobs.invalid"] = ["192.0.2.1", "2001:db8::1"]
    assert look_up("https://jobs.invalid/jobs").http_options == [
        "http.curloptResolve=jobs.invalid:443:192.0.2.1,[2001:db8::1]"
    ]


# --- Logins ---


def test_a_login_is_used_and_never_seen(
    synced: Synced, upstream: Upstream, http: HttpServer, monkeypatch, caplog
):
    http.login = ("robot", TOKEN)
    started: list[Any] = []
    real = subprocess.Popen

    def popen(words: list[str], **options: Any) -> Any:
        started.append((words, options.get("env")))
        return real(words, **options)

    monkeypatch.setattr(git.subprocess, "Popen", popen)
    sync = synced.sync()
    assert (sync.field, sync.outcome) == ("credentials", "The server refused the login.")
    synced.change(username="robot")
    synced.secrets(token="wrong-one")
    assert synced.sync().outcome == "The server refused the login."
    synced.secrets(token=TOKEN)
    good = synced.sync()
    assert good.state == "changed"
    shutil.rmtree(upstream.folder)
    gone = synced.sync()
    assert (gone.field, gone.outcome) == ("url", "There is no such repository, or this login may not see it.")
    http.login = None
    assert started
    with synced.platform.reading() as db:
        everything = [vars(row) for model in (SourceSync, JobSource, AuditRecord) for row in db.query(model)]
        assert TOKEN.encode() not in db.get_one(GitSource, synced.id).secrets
    assert TOKEN not in repr((started, everything, caplog.text, vars(synced.source)))
    assert list((synced.settings.instance / "git").iterdir()) == []
    # Another SECRET_KEY: said so, and nothing asked.
    synced.settings = replace(synced.settings, secret_key="another secret key")
    assert "Enter them again" in synced.sync().outcome


def test_ssh_takes_a_key_and_remembers_the_host(
    synced: Synced, upstream: Upstream, http: HttpServer, names: dict[str, list[str]]
):
    if shutil.which("ssh") is None:
        pytest.skip("NO SSH: there is no ssh on PATH, syncs over ssh are not tested.")
    asyncssh = pytest.importorskip("asyncssh", reason="NO SSH SERVER: asyncssh is not installed.")
    own, first_host, second_host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    public = own.export_public_key().decode()
    with ssh_server(http.root, public, first_host) as port:
        synced.change(url=f"ssh://git@127.0.0.1:{port}/jobs")
        assert synced.sync().outcome == "The server refused the login."
        # What was shown first counts from then on, also where the login failed.
        known = synced.source.host_keys
        assert f"[127.0.0.1]:{port} ssh-ed25519" in known
        # As a browser sends it.
        synced.secrets(private_key=own.export_private_key().decode().strip().replace("\n", "\r\n"))
        assert synced.sync().state == "changed"
        synced.change(host_keys=known.replace("127.0.0.1", "example.com"))
        sync = synced.sync()
        assert (sync.field, "not among those that are known" in sync.outcome) == ("host_keys", True)
        changed = second_host.export_public_key().decode().strip()
        synced.change(host_keys=f"[127.0.0.1]:{port} {changed}\n")
        sync = synced.sync()
        assert sync.field == "host_keys"
        assert "shows another host key than before" in sync.outcome
        # A name is kept to where it led, and its keys are still known by the name.
        names["jobs.invalid"] = ["127.0.0.9", "127.0.0.1"]
        synced.change(url=f"ssh://git@Jobs.invalid:{port}/jobs", host_keys="", found_ref="")
        assert synced.sync().state == "changed"
        known = synced.source.host_keys
        assert known.startswith(f"[jobs.invalid]:{port} ssh-ed25519 ")
        synced.change(host_keys=f"[jobs.invalid]:{port} {changed}\n")
        assert synced.sync().field == "host_keys"


# --- Who does it, and when ---


def test_two_syncs_of_one_source_go_one_after_the_other(
    live: Settings, live_platform: Platform, upstream: Upstream, http
):
    synced = Synced(live, live_platform, f"{http.url}/jobs")
    first = synced.ask()
    assert synced.ask().id == first.id, "one that waits is enough"
    with live_platform.session() as db:
        assert syncs._claim(db) == first.id
    second = synced.ask()
    syncs.at_work.add(first.id)
    try:
        assert not sync_now(synced.settings, live_platform, second.id)
        assert not run_once(synced.settings, live_platform)
        with live_platform.session() as one, live_platform.reading() as look:
            # Even who does not look is stopped by the database.
            row = one.get_one(SourceSync, second.id)
            row.state = "running"
            with pytest.raises(Exception, match=r"(?i)unique"):
                one.commit()
            assert look.get_one(SourceSync, second.id).state == "pending"
    finally:
        syncs.at_work.discard(first.id)
    # Whoever was at the first is gone.
    assert run_once(synced.settings, live_platform)
    assert (synced.get(first).outcome, synced.get(second).state) == (syncs.DIED, "changed")


def test_a_kill_in_the_middle_leaves_the_old_commit(synced: Synced, upstream: Upstream):
    good = synced.sync().to_commit
    new = upstream.commit({"jobs/hello.py": None, "jobs/new.py": JOB.format(name="New", value=1)})
    for point in ("sync.fetched", "sync.storing"):
        sync = synced.ask()
        variables = {
            **environment(synced.settings),
            "ERRAND_GIT_ALLOW": "http,local",
            failpoints.VARIABLE: point,
        }
        died = subprocess.run(
            [sys.executable, "-m", "webapp.cli", "sources", "sync", "team"],
            env={**_bare_environment(), **variables},
            capture_output=True,
        )
        assert died.returncode == -9, died.stderr
        assert (synced.commit, synced.jobs()) == (good, {"git.team/hello/Hello": True})
        assert synced.get(sync).state == "running"
    assert synced.sync().state == "changed"
    assert synced.commit == new
    assert list((synced.settings.instance / "git").iterdir()) == [], "the folder of who died is gone, too"


def test_the_scheduler_does_what_is_asked_and_what_is_due(synced: Synced):
    stop = threading.Event()
    thread = threading.Thread(target=syncs.keep_synced, args=(synced.settings, stop))
    thread.start()
    try:
        sync = synced.ask()
        until(lambda: synced.get(sync).state == "changed", "the sync is done")
        synced.change(interval_minutes=1, checked_at=now() - timedelta(hours=1))
        until(lambda: synced.source.checked_at > now() - timedelta(minutes=1), "it is looked at again")
    finally:
        stop.set()
        thread.join(30)


def test_a_test_says_what_is_there_and_changes_nothing(synced: Synced, upstream: Upstream, monkeypatch):
    commit = upstream.git("rev-parse", "HEAD")
    tried = synced.sync(test=True)
    said = f"The branch main is there; its newest commit is {commit[:12]}"
    assert (tried.state, tried.outcome, tried.to_commit) == ("reached", f"{said}.", commit)
    assert (synced.jobs(), synced.commit, synced.source.checked_at) == ({}, "", None)
    synced.sync()
    before = synced.source
    assert synced.sync(test=True).outcome == f"{said}, which is in use."
    upstream.git("tag", "v1")
    synced.change(ref="v1")
    assert synced.sync(test=True).outcome.startswith("The tag v1 is there;")
    synced.change(ref="nowhere")
    tried = synced.sync(test=True)
    assert (tried.state, tried.field) == ("failed", "ref")
    assert tried.outcome == "The repository has no branch and no tag nowhere."
    synced.settings = replace(synced.settings, git_allow=("http",))
    assert "address of the server itself" in synced.sync(test=True).outcome
    after = synced.source
    for name in ("checked_at", "found_ref", "refused_commit"):
        assert getattr(after, name) == getattr(before, name)
    with synced.platform.reading() as db:
        assert syncs.latest(db)[synced.id].state == "changed"
    monkeypatch.setattr("worker.one_sync.ASK_SECONDS", 0.0)
    synced.settings = replace(synced.settings, git_allow=("http", "local"))
    assert synced.sync(test=True).outcome == "It took longer than 0 seconds and was stopped."


def test_a_calendar_asks_once_for_each_of_its_times(live: Settings, live_platform: Platform, upstream, http):
    synced = Synced(live, live_platform, f"{http.url}/jobs")
    due = now() - timedelta(minutes=5)
    synced.change(cron="30 2 * * *", zone="Europe/Berlin", next_sync_at=due, checked_at=now())
    at_once(*[lambda: run_once(synced.settings, live_platform)] * 3)
    with live_platform.reading() as db:
        [done] = db.scalars(select(SourceSync)).all()
    assert (done.state, done.asked_via) == ("changed", "interval")
    following = synced.source.next_sync_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert (following > now(), f"{following:%H:%M}") == (True, "02:30")
    assert not run_once(synced.settings, live_platform)
    # What cannot be read any more hinders no other source.
    synced.change(zone="Atlantis/Center", next_sync_at=due)
    assert run_once(synced.settings, live_platform)
    assert synced.source.next_sync_at is None
    assert not run_once(synced.settings, live_platform)
