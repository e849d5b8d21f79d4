"""`./errand bots-scheduler`: options, configuration files, users with HTTP Basic, and beginning anew."""

import base64
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from flask import Flask, Request
from sqlalchemy import select
from sqlalchemy.orm import undefer
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import EnvironBuilder

from store.lockbox import unlock
from store.models import Channel, User
from store.platform import Platform
from store.settings import Settings, SettingsError, load_settings
from tests.cli.conftest import Errand, errand
from tests.servers import free_port
from tests.webapp.conftest import app
from webapp.bots.basic_auth import user_of
from webapp.bots.config_files import database_url, mail_settings
from webapp.bots.htpasswd import keep_users
from webapp.cli import bots_scheduler

__all__ = ["app", "errand"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be run."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "webapp.cli.up.run_all", lambda settings, **facts: calls.append({"settings": settings, **facts})
    )
    # Whatever a command puts there is taken away afterwards.
    environment = {name: value for name, value in bots_scheduler.os.environ.items() if name != "JOBS_ROOT"}
    monkeypatch.setattr(bots_scheduler.os, "environ", environment)
    return calls


def test_options_are_mapped_or_said_to_have_no_effect(
    errand: Errand, started: list[dict[str, Any]], tmp_path: Path
):
    jobs = tmp_path / "bots"
    jobs.mkdir()
    port = free_port()
    told = errand(
        *(
            "bots-scheduler",
            "run",
            "--local",
            "-p",
            str(port),
            "--jobs",
            str(jobs),
            "--data-dir",
            str(tmp_path / "data"),
        ),
        *(
            "--job-coalesce",
            "--job-misfire",
            "60",
            "--job-max-instances",
            "1",
            "--timezone",
            "Europe/Brussels",
        ),
        *("--threadpool-size", "20", "--logs-table", "logs", "-c", "--debug"),
    )
    assert told.exit_code == 0, told.output
    assert told.stderr.splitlines() == [
        "--logs-table has no effect: tables are called as Errand calls them.",
        "--no-venv-cache has no effect: Errand's environment is made by ./errand from requirements.lock.",
    ]
    (run,) = started
    assert (run["host"], run["port"], run["workers"], run["enable_new"]) == ("127.0.0.1", port, 8, True)
    assert jobs in run["settings"].jobs_roots
    assert run["settings"].debug
    environment = bots_scheduler.os.environ
    assert {
        name: environment[f"ERRAND_NDSCHEDULER_{name}"] for name in ("COALESCE", "MISFIRE", "MAX_INSTANCES")
    } == {
        "COALESCE": "0",
        "MISFIRE": "60",
        "MAX_INSTANCES": "1",
    }
    assert environment["ERRAND_NDSCHEDULER_TIMEZONE"] == "Europe/Brussels"
    assert environment["ERRAND_DATA_FILES"] == str(tmp_path / "data")
    del environment["ERRAND_HTTPS"]
    refused = errand("bots-scheduler", "run", "-p", str(port))
    assert (refused.exit_code, len(started)) == (2, 1)
    assert "Others can reach 0.0.0.0, so say how" in refused.stderr
    assert errand("bots-scheduler", "run", "--certificate", str(tmp_path / "none.pem")).exit_code == 2


def test_profiles_are_read(tmp_path: Path):
    smtp, db = tmp_path / "smtp.ini", tmp_path / "db.ini"
    smtp.write_text(
        "[first]\nhostname = mail.example.com\nport = 587\nfrom = bots@example.com\nto = me@example.com\n"
        "user = me\npassword = p@ss%\n[second]\nhostname = x\nport = 465\nfrom = a@b\n"
    )
    db.write_text(
        "[sqlite]\nfile_path = /tmp/bots.db\n[mine]\ndbms = postgresql\nuser = u\npassword = p:w\nhostname = h\n"
        "port = 5433\ndatabase = bots\nsslmode = require\n[mysql]\ndatabase = x\n"
    )
    assert mail_settings(smtp, None) == {
        "ERRAND_SMTP_URL": "smtp://me:p%40ss%25@mail.example.com:587?starttls=1",
        "ERRAND_MAIL_FROM": "bots@example.com",
    }
    assert database_url(db, "sqlite") == "sqlite:////tmp/bots.db"
    assert database_url(db, "mine") == "postgresql://u:p%3Aw@h:5433/bots?sslmode=require"
    for read, sentence in (
        (lambda: mail_settings(smtp, "second"), "has no to"),
        (lambda: mail_settings(smtp, "third"), "no profile third; it has: first, second"),
        (lambda: database_url(db, "mysql"), "is neither"),
        (lambda: mail_settings(tmp_path / "none.ini", None), "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            read()


def test_profiles_become_channels_that_mail_what_bots_report(
    errand: Errand, started: list[dict[str, Any]], settings: Settings, tmp_path: Path
):
    smtp = tmp_path / "smtp.ini"
    profile = "[{0}]\nhostname = 127.0.0.1\nport = {1}\nfrom = bots@example.com\nto = {2}\nuser = me\npassword = p@ss\n"
    both = profile.format("mine", 2525, "a@example.com, b@example.com") + profile.format("odd", 25, "nobody")
    smtp.write_text(both)
    asked = ("bots-scheduler", "run", "-l", "-p", str(free_port()), "--smtp-config", str(smtp))
    told = errand(*asked, "--smtp-profile", "mine", "--smtp-profile", "odd", on=settings)
    assert told.exit_code == 0, told.output
    assert "The profile odd makes no channel: nobody is not a mail address." in told.output
    assert started[0]["settings"].notices.mail.port == 2525
    platform = Platform(settings.database_url)
    with platform.session() as db:
        made = db.scalars(select(Channel).options(undefer(Channel.box))).one()
        assert (made.name, made.kind, made.words, made.class_paths) == (
            "mine",
            "mail",
            ["output"],
            ["dialect:bots"],
        )
        assert (made.sender, made.receivers) == ("bots@example.com", ["a@example.com", "b@example.com"])
        made.words = ["failed"]
        db.commit()
    smtp.write_text(both.replace("a@example.com", "c@example.com").replace("2525", "2526"))
    assert errand(*asked, "--smtp-profile", "mine", on=settings).exit_code == 0
    with platform.reading() as db:
        made = db.scalars(select(Channel).options(undefer(Channel.box))).one()
        box = unlock(settings.secret_key, made.box)
        assert (made.words, made.receivers) == (["failed"], ["c@example.com", "b@example.com"])
    platform.dispose()
    assert box == {"url": "smtp://me:p%40ss@127.0.0.1:2526"}


def test_users_of_an_htpasswd_file_sign_in_with_basic(app: Flask, db: Any, tmp_path: Path):
    path = tmp_path / "htpasswd"
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4, prefix=b"2b")).decode().replace("$2b$", "$2y$")
    path.write_text(f"# people\nbetty:{hashed}\nold:$apr1$abc$def\nnonsense\n")
    refused = keep_users(db, path)
    assert [sentence.partition(": ")[2] for sentence in refused] == [
        "The password of old is not hashed with bcrypt: use `htpasswd -B`.",
        "A line is a name, a colon and a hash.",
    ]
    assert keep_users(db, path) == refused
    assert db.query(User).filter_by(username="betty").one().superuser is False
    db.commit()  # SQLite has but one turn to write.
    with app.app_context():
        found = user_of(_request("betty", "correct horse"))
        assert found is not None
        assert found.username == "betty"
        assert user_of(_request("betty", "wrong")) is None
        assert user_of(Request(EnvironBuilder().get_environ())) is None
        for _ in range(4):
            user_of(_request("betty", "wrong again"))
        with pytest.raises(TooManyRequests):
            user_of(_request("betty", "correct horse"))


def _request(name: str, password: str) -> Request:
    value = base64.b64encode(f"{name}:{password}".encode()).decode()
    return Request(EnvironBuilder(headers={"Authorization": f"Basic {value}"}).get_environ())


def test_nothing_is_deleted_without_a_yes(errand: Errand, tmp_path: Path):
    settings = load_settings(tmp_path / "old", {})
    files = settings.instance / "data-files"
    files.mkdir()
    for file in (settings.instance / "errand.db", files / "names.txt", settings.instance / "settings.json"):
        file.write_text("{}")
    assert errand("bots-scheduler", "clean", on=settings).exit_code == 1
    assert (settings.instance / "errand.db").exists()
    assert errand("bots-scheduler", "clean", "--yes", on=settings).exit_code == 0
    assert not (settings.instance / "errand.db").exists()
    assert not list(files.iterdir())
    assert (settings.instance / "settings.json").exists()
    assert errand("bots-scheduler", "reset", "--yes", on=settings).exit_code == 0
    assert not (settings.instance / "settings.json").exists()
    assert "nothing to delete" in errand("bots-scheduler", "clean", on=settings).stderr
