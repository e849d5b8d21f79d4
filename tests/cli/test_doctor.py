"""`./errand doctor`: what it says of each part, in health and in sickness."""

import dataclasses
import json
import os
from datetime import timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url, update

from store.models import JobResult, Queue, WorkerProcess, now
from store.platform import make_engine
from store.settings import Settings
from tests.cli.conftest import Portal
from tests.servers import OidcProvider
from tests.worker.conftest import on_sqlite
from webapp.cli import main
from worker.checkup.databases import _reach_of_jobs, clock
from worker.checkup.machine import packages, python
from worker.host import this_process
from worker.presence import Presence


def doctor(*arguments: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
    """Return the exit code and, by the part, its state, what was said, and what to do."""
    outcome = CliRunner().invoke(main, ["doctor", "--json", *arguments], catch_exceptions=False)
    said = json.loads(outcome.stdout)
    return outcome.exit_code, {each["part"]: (each["state"], each["says"], each["advice"]) for each in said}


@pytest.fixture
def at_work(portal: Portal) -> None:
    """A worker and a scheduler, as far as anybody can see."""
    for kind, queues in (("worker", ["default", "bulk"]), ("scheduler", [])):
        here = Presence(portal.platform, kind=kind, name=f"{kind}-1", queues=queues, process=this_process())
        here.enter()


def test_in_health_nothing_is_bad(portal: Portal, at_work: None):
    code, said = doctor()
    assert {part: state for part, (state, _, _) in said.items() if state == "bad"} == {}
    assert code == 0
    assert set(said) >= {
        *("python", "packages", "instance", "disk", "database", "data database", "redis", "redis memory"),
        *("redis disk", "workers", "schedulers", "worker key", "files"),
    }
    kind = "PostgreSQL" if "DATABASE_URL" in os.environ else "SQLite"
    for part in ("database", "data database"):
        assert said[part][1].startswith(kind)
        assert "up to date, writable" in said[part][1]
    assert ("database clock" in said) == (kind == "PostgreSQL")
    assert ("reach of jobs" in said) == (kind == "PostgreSQL")
    assert said["sources"][0] == "warn", "of the files of the tests some are broken"
    assert said["sources"][2] == "Mend the file, then ./errand jobs refresh"


@pytest.mark.postgres
def test_it_warns_where_jobs_are_given_what_opens_the_platform(settings: Settings, postgres_copy: str):
    """A role of their own, which may not read its tables, is what the shipped deployments set up."""
    url = make_url(postgres_copy).set(drivername="postgresql+psycopg")
    role = f"data_{uuid4().hex}"
    platform = url.render_as_string(False)
    one_role = dataclasses.replace(settings, database_url=platform, data_database_url=platform)
    own = url.set(username=role, password="x").render_as_string(False)
    role_of_its_own = dataclasses.replace(one_role, data_database_url=own)
    engine = make_engine(platform)
    with engine.begin() as db:
        db.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        assert _reach_of_jobs(one_role).state == "warn"
        assert _reach_of_jobs(role_of_its_own).state == "ok"
        with engine.begin() as db:
            db.exec_driver_sql(f"GRANT SELECT ON users TO {role}")
        assert _reach_of_jobs(role_of_its_own).state == "warn"
    finally:
        with engine.begin() as db:
            db.exec_driver_sql(f"DROP OWNED BY {role}")
            db.exec_driver_sql(f"DROP ROLE {role}")
        engine.dispose()


@on_sqlite
def test_what_is_not_there_is_bad_and_says_what_to_do(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    assert portal("run", "Passes", "--no-wait", "-u", "root").exit_code == 0
    portal.change(JobResult, queue="bulk")
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@127.0.0.1:1/0")
    (portal.settings.instance / "secret_key").chmod(0o644)
    code, said = doctor()
    assert code == 1
    assert said["redis"][:2] == (
        "bad",
        "redis://user:***@127.0.0.1:1/0 cannot be used: "
        "Error 111 connecting to 127.0.0.1:1. Connection refused.",
    )
    assert said["workers"] == ("bad", "There is none, so nothing is executed.", "./errand worker")
    assert said["queue bulk"] == ("bad", "No worker listens; 1 wait.", "./errand worker --queues bulk")
    assert said["schedulers"][0] == "warn"
    assert said["instance"][::2] == ("bad", f"chmod 600 {portal.settings.instance / 'secret_key'}")


@on_sqlite
def test_what_is_odd_is_a_warning(portal: Portal, at_work: None, monkeypatch: pytest.MonkeyPatch):
    with portal.platform.session() as db:
        db.add(Queue(name="bulk", paused=True, paused_by="root"))
        db.commit()
    portal.change(WorkerProcess, version="0.0.9")
    monkeypatch.setenv("ERRAND_SMTP_URL", "smtp://127.0.0.1:1?starttls=1")
    monkeypatch.setenv("ERRAND_MAIL_FROM", "errand@example.com")
    monkeypatch.setenv("ERRAND_FILES_URL", f"file://{portal.settings.instance}/secret_key/no-folder")
    code, said = doctor()
    assert said["queue bulk"] == ("warn", "It is paused by root; 0 wait.", "./errand queues resume bulk")
    assert "scheduler-1 0.0.9, worker-1 0.0.9" in said["versions"][1]
    assert said["mail"] == (
        "warn",
        "The mail server did not answer: Connection refused.",
        "See ERRAND_SMTP_URL.",
    )
    assert (code, said["files"][0]) == (1, "bad")


def test_the_provider_of_single_sign_on_is_asked(
    settings: Settings, oidc_provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ERRAND_OIDC_CLIENT_ID", "errand")
    monkeypatch.setenv("ERRAND_OIDC_CLIENT_SECRET", "secret")
    for issuer, state in (
        (oidc_provider.issuer, "ok"),
        (f"{oidc_provider.issuer}/no-such-realm", "warn"),
        ("http://127.0.0.1:1", "warn"),
    ):
        monkeypatch.setenv("ERRAND_OIDC_ISSUER", issuer)
        found, _, advice = doctor("--instance", str(settings.instance))[1]["single sign-on"]
        assert (found, "ERRAND_OIDC_ISSUER" in advice) == (state, state == "warn"), issuer


def test_those_who_were_never_heard_of_again_are_counted(portal: Portal, at_work: None):
    for number in range(30):
        row = Presence(
            portal.platform, kind="worker", name=f"old-{number:02}", queues=[], process=this_process()
        )
        row.enter()
    long_ago = now() - timedelta(days=3)
    with portal.platform.session() as db:
        old = WorkerProcess.name.startswith("old-")
        db.execute(update(WorkerProcess).where(old).values(seen_at=long_ago, version="0.0.9"))
        db.commit()
    said = doctor()[1]
    assert said["lost workers"][1].endswith(
        ": " + ", ".join(f"old-{n:02}" for n in range(10)) + " and 20 more."
    )
    assert "versions" not in said, "whoever is gone is of no version"


def test_a_file_that_is_no_database_is_told_with_the_way_out(settings: Settings):
    (settings.instance / "errand.db").write_bytes(b"no database" * 100)
    code, said = doctor("--instance", str(settings.instance))
    state, says, advice = said["database"]
    assert (code, state, says.endswith("cannot be used: file is not a database")) == (1, "bad", True)
    assert advice == "Put the last backup in its place: ./errand restore FILE --force"
    for command in (("user", "list"), ("scheduler",), ("web",)):
        outcome = CliRunner().invoke(main, [*command, "--instance", str(settings.instance)])
        assert outcome.output == "Error: The database cannot be used: file is not a database\n"
        assert outcome.exit_code == 1


def test_a_worker_key_that_is_none_hides_nothing_else(portal: Portal):
    assert CliRunner().invoke(main, ["keys", "rotate"]).exit_code == 0
    (portal.settings.instance / "worker_key").write_bytes(b"\xff\xfe")
    said = doctor()[1]
    assert said["worker key"][::2] == ("bad", "Workers need it whole, as a file of their own user.")
    assert "search" in said


def test_a_database_that_was_never_upgraded(fresh: Settings):
    code, said = doctor("--instance", str(fresh.instance))
    assert (code, said["database"][::2]) == (1, ("bad", "./errand db upgrade"))
    assert not (fresh.instance / "errand.db").exists(), "nothing is made by looking"
    told = CliRunner().invoke(main, ["doctor", "--instance", str(fresh.instance)]).stdout
    assert (
        f"bad\tdatabase\tThere is no database at {fresh.instance / 'errand.db'}.\t./errand db upgrade\n"
        in told
    )


def test_packages_are_those_of_the_lock_file():
    lock = "\n".join(
        (
            "click==1.0 \\",
            "    --hash=sha256:00",
            "redis[hiredis]==0.9 ; python_version >= '3' \\",
            "not-for-us==1 ; python_version < '3' \\",
            "# via nothing",
        )
    )
    found = packages(lock)
    assert (found.state, found.says.count("(not =="), "not-for-us" in found.says) == ("warn", 2, False)
    assert packages("errand-no-such-package==1 \\").says == "Not installed: errand-no-such-package."
    assert python((3, 10, 1)).state == "bad"
    assert [clock("clock", seconds).state for seconds in (0.5, 90.0)] == ["ok", "warn"]
