"""Jobs of Bots Scheduler run: what they are given, what becomes of what they return, how they end."""

from typing import Any

import pytest
from sqlalchemy import select

from jobs.errors import InvalidData
from store.models import AuditRecord, JobRecord, JobResult, RunReport, User
from store.permissions import NotVisible, require, visible
from store.positional import to_args, to_data
from store.withdrawn import shown_audit
from tests.worker.conftest import Portal, on_sqlite
from worker.asked import NotRunnable

pytestmark = pytest.mark.in_turn


def test_a_run_gets_its_arguments_by_position(portal: Portal):
    variables = portal.jobs["BotsAll"].variables
    for pub_args, got in (
        # A number that a program gives stays one; what is left out has its default.
        (["a", True, 5, 7], ["a", True, 5, 7, "z"]),
        (["a", False, 2, "7", "y", 1, [2]], ["a", False, 2, "7", "y", 1, [2]]),
    ):
        raw = to_data(variables, pub_args)
        result = portal.run("BotsAll", raw=raw)
        assert (result.status, result.return_value) == ("completed", got)
        assert to_args(variables, result.data) == got
    with pytest.raises(InvalidData) as refusal:
        portal.submit("BotsAll", raw=to_data(variables, ["a", True, 4, "b"]))
    assert refusal.value.errors == {"level": ["Enter 2, or that and a multiple of 3."]}


@on_sqlite
def test_a_lone_list_is_all_arguments(portal: Portal):
    variables = portal.jobs["BotsShell"].variables
    given = [
        (to_data(variables, ["ls", "-l"]), ["ls", "-l"]),
        ({"command": '["ls", 1]'}, ["ls", 1]),
        ({"command": "ls -l"}, ["ls -l"]),
        (to_data(variables, []), []),
    ]
    for raw, args in given:
        result = portal.run("BotsShell", raw=raw)
        assert result.return_value == {"args": args, "ids": [32, 32]}
        assert to_args(variables, result.data) == args


@on_sqlite
def test_what_run_returns_is_a_report_or_a_value(portal: Portal):
    def kept(job: str, *args: Any) -> JobResult:
        return portal.run(job, raw={"more_arguments": list(args)})

    assert kept("BotsPlain", "json").return_value == [1, {"a": None}]
    assert kept("BotsPlain", "text").return_value == "hi"
    odd = kept("BotsPlain", "odd")
    assert odd.status == "failed"
    assert odd.cause == "What run returned does not fit into JSON: it is, or has in it, a value of type set."
    for job, how in (("BotsPlain", "tuple"), ("BotsReport", "tuple"), ("BotsReport", "item")):
        assert _kinds(portal, kept(job, how))[0] == "h2"
    assert _kinds(portal, kept("BotsPlain", "html")) == ["html"]
    assert _kinds(portal, kept("BotsReport", "titled"))[0] == "h1"
    assert kept("BotsReport", "none").status == "completed"


def _kinds(portal: Portal, result: JobResult) -> list[str]:
    """Return what the report of a run is made of; nothing of it is its return value, too."""
    assert result.return_value is None
    with portal.platform.reading() as db:
        return [_kind(piece) for piece in db.get_one(RunReport, result.id).data["pieces"]]


def _kind(piece: dict[str, Any]) -> str:
    return f"h{piece['level']}" if piece["kind"] == "heading" else str(piece["kind"])


@on_sqlite
def test_an_exception_has_a_report_and_a_description(portal: Portal):
    result = portal.run("BotsBreaks")
    assert result.status == "errored"
    assert result.cause == "The job raised ValueError: no such bot"
    messages = [message for _, _, message in portal.messages(result)]
    assert messages[0].startswith("hostname: ")
    assert "It did not go well." in messages
    assert _kinds(portal, result) == ["h1", "code"]


@on_sqlite
def test_a_job_may_be_made_and_run_in_its_own_way(portal: Portal):
    result = portal.run("BotsOwnWay", raw={})
    assert (result.status, result.return_value) == ("completed", 4)
    assert "from run_job" in [message for _, _, message in portal.messages(result)]
    assert result.results == {"notify": True}


def test_what_its_author_has_switched_off_is_nowhere_until_it_is_back(portal: Portal):
    path = portal.jobs["BotsOff"].class_path
    with portal.platform.session() as db:
        job = db.scalars(select(JobRecord).where(JobRecord.class_path == path)).one()
        assert job.withdrawn
        job.withdrawn = False
        db.add(AuditRecord(action="job.enable", subject=path, actor="root", via="", address=""))
        db.commit()
    waiting = portal.submit("BotsOff")
    _withdraw(portal, path)
    ended = portal.execute(waiting)
    assert (ended.status, ended.attempt) == ("canceled", 0)
    assert ended.cause == "Off was switched off by its author while this run waited."
    _withdraw(portal, path, off=False)
    result = portal.run("BotsOff")
    assert result.status == "completed"
    assert _seen(portal, result) == dict.fromkeys(("alice", "root"), (True, True, True, True, ""))
    _withdraw(portal, path)
    assert _seen(portal, result) == {
        "alice": (False, False, False, False, "NotVisible"),
        "root": (False, False, False, False, "NotVisible"),
    }
    with portal.platform.session() as db:
        root = db.get_one(User, portal.cast["root"].id)
        listed = visible(select(JobRecord.class_path), root, JobRecord, withdrawn=True)
        assert path in db.scalars(listed).all()
        require(root, "view", db.get_one(JobRecord, portal.jobs["BotsOff"].id))
    with pytest.raises(NotRunnable, match="switched off by its author"):
        portal.submit("BotsOff", user="root")
    _withdraw(portal, path, off=False)
    assert _seen(portal, result)["alice"] == (True, True, True, True, "")


def _withdraw(portal: Portal, path: str, *, off: bool = True) -> None:
    with portal.platform.session() as db:
        db.scalars(select(JobRecord).where(JobRecord.class_path == path)).one().withdrawn = off
        db.commit()


def _seen(portal: Portal, result: JobResult) -> dict[str, tuple[bool, bool, bool, bool, str]]:
    """Return, for a person and a superuser, whether they see the job, its run and both in the audit."""
    seen = {}
    for name in ("alice", "root"):
        with portal.platform.session() as db:
            user = db.get_one(User, portal.cast[name].id)
            job = db.scalar(
                visible(select(JobRecord.id), user, JobRecord).where(JobRecord.id == result.job_id)
            )
            runs = visible(select(JobResult.id), user, JobResult)
            audit = select(AuditRecord.id).where(AuditRecord.subject == result.class_path, shown_audit())
            try:
                require(user, "view", db.get_one(JobResult, result.id))
                refused = ""
            except NotVisible as error:
                refused = type(error).__name__
            seen[name] = (
                job is not None,
                result.id in db.scalars(runs).all(),
                db.scalar(audit) is not None,
                not refused,
                refused,
            )
    return seen
