"""Sensitive inputs are sealed for the workers: who closes a box cannot open it, and another run may use it."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import MetaData, Table, select, update

from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, User, WorkerKey, now
from store.sealing import CannotOpen, close, fingerprint_of_key, open_box
from store.settings import SettingsError, load_settings
from tests.worker.conftest import Portal, StartWorker, on_sqlite
from worker.keyring import (
    CannotRotate,
    ensure,
    make_key,
    path_of,
    prepare,
    private_keys,
    public_half,
    rotate,
)
from worker.known_secrets import known_secrets
from worker.overrides import override
from worker.scheduler import forget_sealed
from worker.submit import NotRunnable, reusable, submit

pytestmark = pytest.mark.in_turn

PASSWORD = "correct horse; battery"


@pytest.fixture
def keyed(portal: Portal) -> Portal:
    """A portal whose workers have a key."""
    with portal.platform.session() as db:
        ensure(db, portal.settings)
    return portal


def again(portal: Portal, result: JobResult, user: str = "alice", **raw: str) -> JobResult | None:
    """Ask for another run with the sealed inputs of an earlier one; None: this user may not."""
    with portal.platform.session() as db:
        earlier = db.get_one(JobResult, result.id)
        person = db.get_one(User, portal.cast[user].id)
        job = db.get_one(JobRecord, earlier.job_id)
        db.refresh(earlier, ["job"])
        sealed = reusable(earlier, person)
        if sealed is None:
            return None
        raw = {name: value for name, value in {**earlier.data, **raw}.items() if value}
        return submit(db, portal.settings, job=job, raw=raw, user=person, sealed=sealed)


def box_of(portal: Portal, result: JobResult) -> bytes:
    kept = portal.result(result).kept_box
    assert kept is not None
    return kept


# Boxes


def test_whoever_closes_a_box_cannot_open_it(keyed: Portal):
    with keyed.platform.session() as db:
        box = close(db, keyed.settings.secret_key, "local/a/A", {"password": PASSWORD}, ["password"])
    arguments = {"class_path": "local/a/A", "facts": box.facts, "secret_key": keyed.settings.secret_key}
    with pytest.raises(CannotOpen, match="which its worker does not have"):
        open_box(box.content, private_key_of=lambda _: None, **arguments)
    [private] = private_keys(keyed.settings)
    opened = open_box(box.content, private_key_of=lambda _: private, **arguments)
    assert (opened.data, opened.secrets) == ({"password": PASSWORD}, [PASSWORD])
    assert PASSWORD.encode() not in box.content


def test_a_box_is_good_for_its_own_run_only(keyed: Portal):
    [private] = private_keys(keyed.settings)
    with keyed.platform.session() as db:
        ours, other = (close(db, "key", "local/a/A", {"pin": "1234"}, ["pin"]) for _ in range(2))
    arguments = {"private_key_of": lambda _: private, "secret_key": "key"}
    with pytest.raises(CannotOpen, match="not those that were sealed for it"):
        open_box(ours.content, class_path="local/a/Other", facts=ours.facts, **arguments)
    with pytest.raises(CannotOpen, match="not those that were sealed for it"):
        open_box(ours.content, class_path="local/a/A", facts=other.facts, **arguments)
    flipped = ours.content[:-1] + bytes([ours.content[-1] ^ 1])
    with pytest.raises(CannotOpen, match="altered"):
        open_box(flipped, class_path="local/a/A", facts=ours.facts, **arguments)


def test_what_is_told_of_an_input_says_nothing_of_it(keyed: Portal):
    with keyed.platform.session() as db:
        facts = [close(db, "key", "a", {"pin": "1234", "site": "ber"}, ["pin"]).facts for _ in range(2)]
    assert [each["pin"]["length"] for each in facts] == [4, 4]
    assert "length" not in facts[0]["site"]
    # Nobody finds an input by trying: the same one looks otherwise in each box.
    assert facts[0]["pin"]["fingerprint"] != facts[1]["pin"]["fingerprint"]


# Runs


def test_a_worker_opens_what_was_sealed_and_keeps_it_for_another_run(keyed: Portal):
    asked = keyed.submit("KnowsASecret", raw={"password": PASSWORD, "host": "core-2"})
    assert (asked.sealed_data, asked.sealed_facts["password"]["length"]) == (None, len(PASSWORD))
    result = keyed.execute(asked)
    assert (result.status, result.return_value["length"]) == ("completed", len(PASSWORD))
    assert result.kept_box
    assert result.kept_until - result.created_at == timedelta(days=30)
    second = again(keyed, result)
    assert second is not None
    assert (second.sealed_for, second.sealed_facts) == (result.id, result.sealed_facts)
    ended = keyed.execute(second)
    assert (ended.status, ended.return_value["length"], ended.data["host"]) == (
        "completed",
        len(PASSWORD),
        "core-2",
    )
    assert [entry.message for entry in keyed.entries(ended)] == ["core-2: signing in with (redacted)"]


def test_a_run_of_which_all_inputs_are_sensitive_runs_again(keyed: Portal):
    result = keyed.run("PicksAHost", raw={"host": "b", "note": "x"})
    assert (result.data, sorted(result.sealed_facts)) == ({}, ["host", "note"])
    second = again(keyed, result)
    assert second is not None
    assert keyed.execute(second).status == "completed"


@on_sqlite
def test_only_who_typed_them_may_use_them_again_and_only_for_so_long(keyed: Portal):
    result = keyed.run("KnowsASecret", raw={"password": PASSWORD})
    assert again(keyed, result, "root") is None
    with keyed.platform.session() as db:
        db.execute(update(JobResult).values(kept_until=now() - timedelta(seconds=1)))
        db.commit()
    assert again(keyed, result) is None
    with keyed.platform.session() as db:
        forget_sealed(db)
        db.commit()
    assert (keyed.result(result).kept_box, keyed.result(result).sealed_facts) == (None, result.sealed_facts)


@on_sqlite
def test_a_run_that_still_waits_keeps_its_box_whatever_the_clock_says(keyed: Portal):
    asked = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    with keyed.platform.session() as db:
        db.execute(update(JobResult).values(kept_until=now() - timedelta(days=1)))
        forget_sealed(db)
        db.commit()
    assert keyed.execute(asked).status == "completed"


@on_sqlite
def test_a_portal_may_keep_nothing_beyond_the_end(keyed: Portal):
    keyed.settings = replace(keyed.settings, sealed_days=0)
    result = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    assert (result.kept_box, bool(result.sealed_data)) == (None, True)
    ended = keyed.execute(result)
    assert (ended.status, ended.sealed_data, ended.kept_box) == ("completed", None, None)


@on_sqlite
def test_sealed_inputs_that_do_not_fit_any_more_end_the_run_before_its_code(
    keyed: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    result = keyed.run("PicksAHost", raw={"host": "b", "note": str(tmp_path / "refused")})
    assert result.status == "completed"
    (tmp_path / "refused").touch()
    refused = keyed.execute(again(keyed, result))
    assert (refused.status, refused.cause) == (
        "errored",
        "The job does not take the sealed inputs of the earlier run any more. Give them anew.",
    )


@on_sqlite
def test_a_run_is_not_opened_by_a_worker_without_the_key_and_says_so(keyed: Portal):
    asked = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    path_of(keyed.settings).unlink()
    ended = keyed.execute(asked)
    assert ended.status == "errored"
    assert "are sealed for the worker key " in ended.cause


@on_sqlite
def test_approval_of_a_sensitive_job_needs_a_key(portal: Portal):
    def asks() -> JobResult:
        return portal.submit("Sensitive", raw={"password": PASSWORD})

    both = {"has_sensitive_variables": True, "approval_required": True}
    with portal.platform.session() as db:
        job = db.get_one(JobRecord, portal.jobs["Sensitive"].id)
        with pytest.raises(InvalidData, match="can only wait for an approval where the workers have a key"):
            override(db, job, both)
        db.rollback()
        db.execute(update(JobRecord).where(JobRecord.id == job.id).values(approval_required=True))
        db.commit()
    with pytest.raises(NotRunnable, match="can only wait for an approval where the workers have a key"):
        asks()
    with portal.platform.session() as db:
        ensure(db, portal.settings)
        override(db, db.get_one(JobRecord, portal.jobs["Sensitive"].id), both)
    assert asks().status == "awaiting_approval"


def variables(portal: Portal, job: str, *described: dict, **values: object) -> None:
    """Have the record of a job be what a refresh would have made of other code."""
    with portal.platform.session() as db:
        record = db.get_one(JobRecord, portal.jobs[job].id)
        record.variables = [*record.variables, *described]
        for name, value in values.items():
            setattr(record, name, value)
        db.commit()


def described(name: str, kind: str = "StringVar") -> dict:
    return {"name": name, "type": kind, "label": name, "description": "", "required": False, "default": None}


@on_sqlite
@pytest.mark.parametrize(
    ("job", "change"),
    [
        ("PicksAHost", {"described": [described("simulate", "BooleanVar")]}),
        ("PicksAHost", {"has_sensitive_variables": False}),
        ("KnowsASecret", {"has_sensitive_variables": True}),
        ("PicksAHost", {"concurrency_limit": 1, "concurrency_key": ["host"]}),
    ],
    ids=["one more input", "no longer sensitive", "sensitive now", "one at a time by a sealed input"],
)
def test_inputs_are_given_anew_where_the_job_would_seal_others(keyed: Portal, job: str, change: dict):
    raw = {"host": "b"} if job == "PicksAHost" else {"password": PASSWORD}
    result = keyed.run(job, raw=raw)
    variables(keyed, job, *change.pop("described", ()), **change)
    assert again(keyed, result) is None


@on_sqlite
def test_what_became_a_secret_is_masked_and_given_anew(keyed: Portal):
    result = keyed.run("PicksAHost", raw={"host": "b", "note": "hunter2hunter2"})
    waiting = keyed.submit("PicksAHost", raw={"host": "b", "note": "hunter2hunter2"})
    with keyed.platform.session() as db:
        record = db.get_one(JobRecord, keyed.jobs["PicksAHost"].id)
        record.variables = [
            {**each, "type": "SecretVar"} if each["name"] == "note" else each for each in record.variables
        ]
        db.commit()
    assert again(keyed, result) is None
    assert keyed.execute(waiting).status == "completed"
    assert [entry.message for entry in keyed.entries(waiting)] == ["Going to b: (redacted)"]


@on_sqlite
def test_a_secret_that_keeps_runs_apart_is_not_stored_either(portal: Portal):
    with portal.platform.session() as db:
        job = db.get_one(JobRecord, portal.jobs["KnowsASecret"].id)
        job.concurrency_limit, job.concurrency_key = 1, ["password"]
        db.commit()
    first, second = (portal.submit("KnowsASecret", raw={"password": PASSWORD}) for _ in range(2))
    other = portal.submit("KnowsASecret", raw={"password": "another one"})
    assert PASSWORD not in first.concurrency_key
    assert first.concurrency_key == second.concurrency_key != other.concurrency_key


@on_sqlite
def test_a_rule_on_sealed_inputs_goes_with_them(keyed: Portal):
    variables(keyed, "PicksAHost", concurrency_limit=1, concurrency_key=["host"])
    result = keyed.run("PicksAHost", raw={"host": "b"})
    second = again(keyed, result)
    assert result.concurrency_key
    assert second is not None
    assert second.concurrency_key == result.concurrency_key


@on_sqlite
def test_what_was_typed_at_a_command_line_is_nobody_s_to_use_again(keyed: Portal):
    result = keyed.submit("KnowsASecret", raw={"password": PASSWORD}, permitted=True)
    assert (result.kept_box, bool(result.sealed_data)) == (None, True)


@on_sqlite
def test_running_again_keeps_a_box_no_longer(keyed: Portal):
    result = keyed.run("KnowsASecret", raw={"password": PASSWORD})
    soon = now() + timedelta(minutes=5)
    with keyed.platform.session() as db:
        db.execute(update(JobResult).values(kept_until=soon))
        db.commit()
    second = again(keyed, result)
    assert second is not None
    assert second.kept_until == soon


@on_sqlite
def test_what_was_left_empty_is_told_to_be(keyed: Portal):
    asked = keyed.submit("PicksAHost", raw={"host": "b"})
    assert asked.sealed_facts["note"].get("empty") is True
    assert "empty" not in asked.sealed_facts["host"]


@on_sqlite
def test_a_choice_that_is_gone_is_named_without_its_value(
    keyed: Portal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "hosts").write_text("first second")
    result = keyed.run("PicksFromAFile", raw={"folder": str(tmp_path), "host": "second"})
    assert result.status == "completed", result.cause
    (tmp_path / "hosts").write_text("first")
    ended = keyed.execute(again(keyed, result))
    assert (ended.status, ended.cause) == (
        "errored",
        "Sealed inputs of an earlier run do not fit any more: `host`. Give them anew.",
    )
    (tmp_path / "hosts").unlink()
    broken = keyed.execute(again(keyed, result))
    assert broken.status == "errored"
    assert str(tmp_path) not in broken.cause + "".join(entry.message for entry in keyed.entries(broken))


# Keys


def test_rotation_seals_what_is_kept_anew(keyed: Portal):
    result = keyed.run("KnowsASecret", raw={"password": PASSWORD})
    waiting = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    before = box_of(keyed, result)
    with keyed.platform.session() as db:
        done = rotate(db, keyed.settings)
        fingerprint, count = done.fingerprint, done.resealed
        rows = dict(db.execute(select(WorkerKey.fingerprint, WorkerKey.retired_at)).all())
    assert (count, rows[fingerprint], len(rows), None in rows.values()) == (2, None, 2, True)
    assert box_of(keyed, result) != before
    # The old key stays for a day: somebody may just have sealed something with it.
    assert [fingerprint_of_key(public_half(key)) for key in private_keys(keyed.settings)] == [
        fingerprint,
        *(rows.keys() - {fingerprint}),
    ]
    assert keyed.execute(waiting).status == "completed"
    assert keyed.execute(again(keyed, result)).status == "completed"
    with keyed.platform.session() as db:
        db.execute(
            update(WorkerKey)
            .where(WorkerKey.retired_at.is_not(None))
            .values(retired_at=now() - timedelta(days=2))
        )
        db.commit()
        done = rotate(db, keyed.settings)
        third, count = done.fingerprint, done.resealed
    assert (count, done.closed) == (3, 0)
    assert [fingerprint_of_key(public_half(key)) for key in private_keys(keyed.settings)] == [
        third,
        fingerprint,
    ]


@on_sqlite
def test_a_lost_key_is_told_and_replaced_only_when_asked(keyed: Portal):
    asked = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    path_of(keyed.settings).unlink()
    with keyed.platform.session() as db:
        with pytest.raises(CannotRotate, match="is not here"):
            rotate(db, keyed.settings)
        assert rotate(db, keyed.settings, lost=True).resealed == 0
    assert keyed.execute(asked).status == "errored"
    assert keyed.run("KnowsASecret", raw={"password": PASSWORD}).status == "completed"


@on_sqlite
def test_keys_in_the_environment_take_the_place_of_the_file(keyed: Portal, monkeypatch: pytest.MonkeyPatch):
    result = keyed.run("KnowsASecret", raw={"password": PASSWORD})
    old = path_of(keyed.settings).read_text().strip()
    path_of(keyed.settings).unlink()
    monkeypatch.setenv("WORKER_KEY", old)
    with keyed.platform.session() as db, pytest.raises(CannotRotate, match="Put a new one before it"):
        rotate(db, keyed.settings)
    monkeypatch.setenv("WORKER_KEY", f"{make_key()} {old}")
    with keyed.platform.session() as db:
        assert rotate(db, keyed.settings).resealed == 1
    assert not path_of(keyed.settings).exists()
    assert keyed.execute(again(keyed, result)).status == "completed"


def test_of_two_who_rotate_at_once_one_waits_for_the_other(keyed: Portal):
    def act(_: int) -> str:
        with keyed.platform.session() as db:
            return rotate(db, keyed.settings).fingerprint

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(act, range(2)))
        with keyed.platform.reading() as db:
            [current] = db.scalars(select(WorkerKey.fingerprint).where(WorkerKey.retired_at.is_(None)))
        assert fingerprint_of_key(public_half(private_keys(keyed.settings)[0])) == current


@on_sqlite
def test_a_damaged_box_keeps_no_other_from_being_sealed_anew(keyed: Portal):
    results = [keyed.submit("KnowsASecret", raw={"password": PASSWORD}) for _ in range(3)]
    with keyed.platform.session() as db:
        row = db.get_one(JobResult, results[1].id)
        row.kept_box = row.kept_box[:-1] + bytes([row.kept_box[-1] ^ 1])
        db.commit()
        done = rotate(db, keyed.settings)
    assert (done.resealed, done.closed) == (2, 1)
    assert [keyed.execute(each).status for each in results] == ["completed", "errored", "completed"]


@on_sqlite
def test_a_rotation_that_was_interrupted_goes_on(keyed: Portal, monkeypatch: pytest.MonkeyPatch):
    result = keyed.run("KnowsASecret", raw={"password": PASSWORD})
    old = path_of(keyed.settings).read_text().strip()
    path_of(keyed.settings).unlink()
    monkeypatch.setenv("WORKER_KEY", f"{make_key()} {old}")
    with monkeypatch.context() as patch, keyed.platform.session() as db:
        patch.setattr("worker.keyring._reseal_all", lambda *_: pytest.fail("interrupted"))
        with pytest.raises(BaseException, match="interrupted"):
            rotate(db, keyed.settings)
    with keyed.platform.session() as db:
        assert rotate(db, keyed.settings).resealed == 1
    assert keyed.execute(again(keyed, result)).status == "completed"


@on_sqlite
def test_a_key_can_be_given_to_other_machines_before_it_is_used(keyed: Portal):
    before = keyed.submit("KnowsASecret", raw={"password": PASSWORD})
    fingerprint = prepare(keyed.settings)
    with keyed.platform.reading() as db:
        assert fingerprint not in db.scalars(select(WorkerKey.fingerprint)).all()
    assert keyed.execute(before).status == "completed"
    with keyed.platform.session() as db:
        assert rotate(db, keyed.settings).fingerprint == fingerprint
    assert keyed.run("KnowsASecret", raw={"password": PASSWORD}).status == "completed"


@on_sqlite
@pytest.mark.parametrize("content", ["x", "AAAA", "é"])
def test_a_key_that_is_none_is_told_with_its_place(keyed: Portal, content: str):
    path_of(keyed.settings).write_text(content)
    with pytest.raises(SettingsError, match=str(path_of(keyed.settings))):
        private_keys(keyed.settings)


@on_sqlite
def test_the_file_of_keys_is_its_owner_s(keyed: Portal):
    assert path_of(keyed.settings).stat().st_mode & 0o777 == 0o600


# What is known to all runs


@on_sqlite
def test_values_that_an_administrator_names_are_masked_in_every_run(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "values").write_text("plainly spoken\n\nshort\nDB_PASS='written out'\n")
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    (folder / "router").write_text("swordfish\n")
    (folder / ".hidden").write_text("never read")
    monkeypatch.setenv("NETBOX_API_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("PGPASSWORD", "errand")
    for name in ("TOKENIZER", "SECRET_BACKEND", "AUTH_TOKEN_TYPE", "PWD"):
        monkeypatch.setenv(name, "not a secret")
    settings = load_settings(portal.settings.instance, {"ERRAND_SECRETS": f"{tmp_path / 'values'}:{folder}"})
    found = known_secrets(settings)
    assert {"plainly spoken", "written out", "swordfish", "0123456789abcdef", "errand"} <= set(found)
    assert not {"short", "never read", "not a secret"} & set(found)
    portal.settings = replace(portal.settings, secrets_paths=settings.secrets_paths)
    result = portal.run("Tells", raw={"secret": "swordfish"})
    assert portal.entries(result)[0].message.startswith("Cloning https://")
    assert result.return_value["url"] == "https://u:(redacted)@host/"


def test_a_file_of_secrets_that_cannot_be_read_is_told(tmp_path: Path):
    settings = load_settings(tmp_path, {"ERRAND_SECRETS": str(tmp_path / "missing")})
    with pytest.raises(SettingsError, match=r"ERRAND_SECRETS names .*/missing, which cannot be read"):
        known_secrets(settings)


# The search


def all_text(portal: Portal, redis_url: str) -> str:
    """Return all that the portal has stored: both databases row by row, Redis key by key, its files byte by byte."""
    found: list[str] = []
    for engine in (portal.platform.engine, portal.supervisor().data.engine):
        with engine.connect() as connection:
            metadata = MetaData()
            metadata.reflect(connection)
            for table in metadata.tables.values():
                found += (repr(list(row)) for row in connection.execute(select(Table(table.name, metadata))))
    with Redis.from_url(redis_url) as client:
        for key in client.scan_iter():
            found.append(repr(key) + repr(client.dump(key)))
    for file in portal.settings.instance.rglob("*"):
        if file.is_file():
            found.append(file.read_bytes().decode("latin-1"))
    return "\n".join(found)


@pytest.mark.parametrize("keyed_first", [True, False], ids=["with a worker key", "without one"])
def test_planted_secrets_are_found_nowhere(
    portal: Portal, web, start_worker: StartWorker, keyed_first: bool, redis, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    if keyed_first:
        with portal.platform.session() as db:
            ensure(db, portal.settings)
    planted = [f"planted{number}Secret" for number in range(4)]
    path = f"/jobs/{portal.jobs['SpillsItsSecret'].class_path}/"
    web.submitted("SpillsItsSecret", password=planted[0], at="1")
    for at in (2, 7, 13):
        web.submitted("SpillsItsSecret", password=planted[1], at=str(at))
    assert web.ask("SpillsItsSecret", password=planted[2], at="5").status_code == 303
    # Refused, with what was typed: the form comes back without it.
    refused = web.ask("SpillsItsSecret", password=planted[3], at="")
    assert (refused.status_code, planted[3] in refused.text) == (422, False)
    start_worker("--burst").wait(timeout=120)
    with portal.platform.reading() as db:
        rows = db.scalars(select(JobResult)).all()
    assert {row.status for row in rows} == {"completed", "errored"}, [row.cause for row in rows]
    assert len(rows) == 5
    if keyed_first:
        root = next(row for row in rows if row.username == "root")
        answer = web.post(f"/results/{root.id}/rerun")
        assert answer.status_code == 303
        start_worker("--burst").wait(timeout=120)
        second = web.page(answer.headers["Location"]).text
        assert "Set, 14 characters, fingerprint" in second
        assert "The job raised ValueError: not (redacted)" in second
    pages = [web.page(f"/results/{row.id}").text for row in rows]
    pages += [web.page(f"/results/{row.id}/log.txt").text for row in rows]
    pages += [web.page(url).text for url in (path, "/results/", "/audit/", "/audit/audit.csv")]
    stored = all_text(portal, redis.url)
    said = capfd.readouterr()
    everything = "\n".join([stored, *pages, caplog.text, said.out, said.err])
    for secret in planted:
        for form in (secret, secret.encode().hex()):
            assert form not in everything
    assert "(redacted)" in stored
