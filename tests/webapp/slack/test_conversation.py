"""What people say to the bot, and what it does and answers: events over HTTP, signed as Slack signs them."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.files import file_store
from store.models import (
    AuditRecord,
    Group,
    JobRecord,
    JobResult,
    Permission,
    RunFile,
    SlackRequest,
    Suppression,
    User,
    group_members,
    now,
)
from store.platform import Platform
from store.settings import Settings
from tests.slack_stand_in import BOT_ID, BOT_USER, TEAM, SlackStandIn, person
from tests.waiting import until
from tests.webapp.conftest import described, running
from webapp.slack import actions
from worker import commands

from .conftest import Talk, command

MEMBERS = "Slack members"
ONLY_LOGS = "* `showlogs`: Shows what runs have written"


def results(db: Session) -> list[JobResult]:
    # What a test has looked at would keep SQLite's only write turn.
    db.commit()
    with db.begin():
        db.expire_all()
        return list(db.scalars(select(JobResult).order_by(JobResult.created_at)).all())


def is_member(db: Session, username: str) -> bool:
    query = (
        select(group_members.c.user_id)
        .join(User, User.id == group_members.c.user_id)
        .join(Group, Group.id == group_members.c.group_id)
        .where(User.username == username, Group.name == MEMBERS)
    )
    found = db.scalar(query) is not None
    db.commit()
    return found


# --- Commands -------------------------------------------------------------------------------------------------


def test_a_command_runs_its_job_as_whoever_says_it(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    said = "test say hello Bob &amp; <http://x.example|x>."
    event = talk.tell(said, before="Reminder: ", thread_ts="7.7")
    [result] = results(db)
    assert (result.data, result.origin) == ({"name": "Bob & http://x.example"}, "slack")
    [request] = db.scalars(select(SlackRequest)).all()
    assert (request.result_id, request.channel, request.thread_ts) == (result.id, "C1", "7.7")
    assert (request.message_ts, request.slack_user, request.is_im) == (event["ts"], "U1", False)
    assert slack.reactions == [("C1", event["ts"], "kuai-kuai-green")]
    # An account that only Slack opens, made for whoever comes by Slack.
    user = db.scalars(select(User).where(User.username == result.username)).one()
    assert (user.username, user.display_name, user.password_hash) == ("slack-alice", "Alice", None)
    written = db.execute(select(AuditRecord.actor, AuditRecord.via, AuditRecord.action)).all()
    assert ("slack-alice", "slack", "run.submit") in written
    assert ("slack-alice", "slack", "user.create") in written

    event = talk.whisper("test say hello Eve")
    assert results(db)[1].data == {"name": "Eve"}
    assert db.scalars(select(SlackRequest.is_im).order_by(SlackRequest.id)).all() == [False, True]
    # A Slack without that sign has another one.
    slack.fail("reactions.add", "invalid_name")
    event = talk.tell("test say hello Dan")
    assert slack.reactions[-1] == ("C1", event["ts"], "eyes")
    assert slack.messages == []


@pytest.mark.parametrize(
    "hostile", ["; rm -rf /", "$(id) `id`", "a {b} {{c}} %s", "-n --x", "'\"\\", "ünï 漢字 😀", "a\u200bb"]
)
def test_whatever_is_typed_for_an_input_is_its_value(
    talk: Talk, db: Session, say_hello: JobRecord, hostile: str
):
    talk.tell(f"test say hello {hostile}")
    assert [result.data["name"] for result in results(db)] == [hostile]


def test_inputs_of_all_kinds_can_be_typed(talk: Talk, db: Session, make_job: Callable[..., JobRecord]):
    several = described("MultiChoiceVar", "where", choices=[["a b", "a b"], ["c", "c"], ["d", "d"]])
    kinds = [described("IntegerVar", "count"), described("BooleanVar", "hard", required=False), several]
    make_job("x", variables=kinds, slack_commands=[command("x [count] [hard] on [where]")])
    talk.tell("x 3 yes on a b, c")
    talk.tell('x 4 no on ["d"]')
    assert [result.data for result in results(db)] == [
        {"count": 3, "hard": True, "where": ["a b", "c"]},
        {"count": 4, "hard": False, "where": ["d"]},
    ]
    answer = talk.answer("x many perhaps on e")
    assert [line.split("`")[1] for line in answer.split("\n")[1:]] == ["count", "hard", "where"]


def test_what_slack_sends_again_is_done_once(
    talk: Talk, slack: SlackStandIn, db: Session, slack_settings: Settings, say_hello: JobRecord
):
    event = slack.mention("test say hello Bob")
    assert [talk.send(event), talk.send(event, retry=1)] == [200, 200]
    # To another process, and said as another event.
    again = {**event, "event_id": "Ev-other"}
    apps = running(slack_settings)
    assert Talk(next(apps), slack, db).send(again, retry=2) == 200
    assert next(apps, None) is None
    assert len(results(db)) == 1
    assert slack.reactions == [("C1", event["event"]["ts"], "kuai-kuai-green")]


def test_nobody_waits_while_slack_wants_a_rest(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    # Whoever reads pages of the portal meanwhile would, too.
    slack.rate_limit("reactions.add", 20)
    began_at = time.monotonic()
    talk.tell("test say hello Bob")
    assert time.monotonic() - began_at < 10
    assert len(results(db)) == 1
    slack.rate_limit("users.info", 20)
    talk.tell("test say hello Bob", user="U3")
    assert time.monotonic() - began_at < 10


def test_what_slack_sends_again_waits_for_what_becomes_of_the_first(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord, monkeypatch: pytest.MonkeyPatch
):
    event = slack.mention("test say hello Bob")
    submit, begun, may_go_on = commands.submit, threading.Event(), threading.Event()

    def slow(*given: Any, **options: Any) -> Any:
        if begun.is_set():
            return submit(*given, **options)
        begun.set()
        may_go_on.wait(30)
        raise OperationalError("SELECT", None, Exception("gone"))

    monkeypatch.setattr(commands, "submit", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(talk.send, event)
        assert begun.wait(30)
        second = pool.submit(talk.send, event, retry=1)
        until(lambda: len(slack.called("users.info")) == 1 and not second.done(), "the second waits")
        may_go_on.set()
        assert (first.result(), second.result()) == (500, 200)
    assert len(results(db)) == 1


def test_what_the_database_cannot_take_now_is_not_acknowledged(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord, monkeypatch: pytest.MonkeyPatch
):
    event = slack.mention("test say hello Bob")

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("SELECT", None, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(commands, "submit", away)
        assert talk.send(event) == 500
    assert talk.send(event, retry=1) == 200
    assert len(results(db)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(actions.commands, "schedule_job", lambda *_, **__: 1 / 0)
        assert "Something went wrong" in talk.answer("test say hello Eve")


@pytest.mark.in_turn
def test_many_commands_at_once_of_people_who_were_never_here(
    live: Settings, live_platform: Platform, slack: SlackStandIn
):
    with live_platform.session() as db:
        job = {
            "class_path": "local/a/B",
            "source": "local",
            "module": "a",
            "class_name": "B",
            "grouping": "G",
        }
        said = {"variables": [described("StringVar", "name")], "slack_commands": [command("say [name]")]}
        db.add(JobRecord(**job, **said, name="B", dedupe=True, enabled=True, refreshed_at=now()))
        db.commit()
    apps = running(replace(live, slack=slack.settings()))
    app = next(apps)
    events = [slack.mention(f"say {number % 10}", user=f"U{1 + number // 20}") for number in range(40)]

    def send(event: dict[str, Any]) -> int:
        return app.test_client().post("/slack/events", **slack.signed(event)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, events)) == {200}
    with live_platform.reading() as db:
        # What is the same while it waits is one run, whoever asks for it.
        names = [result.data["name"] for result in db.scalars(select(JobResult))]
        assert sorted(names) == [str(number) for number in range(10)]
        users = db.scalars(select(User.username).order_by(User.username)).all()
        assert users == ["slack-alice", "slack-bob"]
        assert db.scalar(select(func.count(SlackRequest.id))) == 10
    assert next(apps, None) is None


def test_what_does_not_fit_is_said_below_the_message(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    event = talk.tell(f"test say hello {'x' * 51}")
    [message] = until(lambda: slack.messages, "an answer")
    assert message["thread_ts"] == event["ts"]
    assert "`name`" in message["text"]
    assert "50 characters" in message["text"]
    assert results(db) == []


@pytest.mark.parametrize(
    "off", [{"enabled": False}, {"installed": False}, {"withdrawn": True}, {"hidden": True}]
)
def test_a_job_that_cannot_be_run_has_no_commands(
    talk: Talk, db: Session, say_hello: JobRecord, off: dict[str, bool]
):
    for name, value in off.items():
        setattr(say_hello, name, value)
    db.commit()
    answer = talk.answer("test say hello Bob")
    assert answer.startswith("I'm sorry, I didn't understand you")
    assert [line for line in answer.split("\n") if line.startswith("* ")] == [ONLY_LOGS]
    assert results(db) == []


def test_a_running_job_of_the_type_is_told_of(
    talk: Talk, db: Session, say_hello: JobRecord, make_result: Callable[..., JobResult]
):
    say_hello.concurrency_limit, say_hello.dedupe = 1, True
    db.commit()
    talk.tell("test say hello Bob")
    [first] = results(db)
    first.status, first.started_at = "running", now()
    db.commit()
    answer = talk.answer("test say hello Bob")
    assert answer.startswith("A `test_hello` job has already started; request queued.")
    assert "`@errand status`" in answer
    assert "`@errand remove job id [id]`" in answer
    assert [result.status for result in results(db)] == ["running", "pending"]
    # The same once more while it waits is the same run.
    assert "request queued" in talk.answer("test say hello Bob")
    assert len(results(db)) == 2


# --- Who may --------------------------------------------------------------------------------------------------


def test_restricted_commands_are_for_full_members(
    talk: Talk, slack: SlackStandIn, db: Session, app: Flask, say_hello: JobRecord
):
    say_hello.restricted = True
    db.commit()
    for guest in ("U3", "U404", BOT_USER + "2"):
        answer = talk.answer("test say hello Bob", user=guest)
        assert answer.startswith(":no_entry: Sorry, only ")
        assert answer.endswith(" are allowed to run `test` commands.")
    assert (results(db), slack.reactions) == ([], [])
    # Help, and what goes on, is open to them; it shows a lock.
    assert "* `test`: Tries &lt;things&gt; :lock:" in talk.answer("help", user="U3")
    assert ":lock:" in talk.answer("test help", user="U3")
    assert talk.answer("status", user="U3") == "Nothing is happening"
    talk.tell("test say hello Bob", user="U2")
    assert [result.username for result in results(db)] == ["slack-bob"]
    assert (is_member(db, "slack-bob"), is_member(db, "slack-carol")) == (True, False)
    # A program that no user of Slack is.
    assert ":no_entry:" in talk.answer("test say hello Bob", user=None, bot_id="B7", username="Build bot")
    assert db.scalar(select(User.id).where(User.username == "slack-Build-bot")) is not None

    # What Slack says of somebody later counts from then on.
    talk.bot().members.seconds = 0.0
    # Somebody of another workspace, in a channel that both share: no event makes them one of this.
    slack.people["U2"]["team_id"] = "T2"
    event = slack.mention("test say hello Bob", user="U2", team="T2")
    event["team_id"] = event["authorizations"][0]["team_id"] = "T2"
    assert talk.send(event) == 200
    until(lambda: ":no_entry:" in slack.texts()[-1], "a refusal")
    assert not is_member(db, "slack-bob")
    slack.people["U2"]["team_id"] = "T1"
    talk.tell("test say hello Bob", user="U2")
    assert is_member(db, "slack-bob")
    slack.people["U2"]["is_restricted"] = True
    assert ":no_entry:" in talk.answer("test say hello Bob", user="U2")
    assert not is_member(db, "slack-bob")
    slack.people["U3"]["is_restricted"] = False
    talk.tell("test say hello Bob", user="U3")
    assert results(db)[-1].username == "slack-carol"
    # While Slack does not say, it is as it was.
    slack.fail("users.info", "fatal_error", times=2)
    talk.tell("test say hello Dan", user="U3")
    assert results(db)[-1].data == {"name": "Dan"}


def test_people_of_other_organisations_and_slack_itself_are_no_members(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    say_hello.restricted = True
    db.commit()
    # Slack itself says what anybody has it say: "/remind #general @errand test say hello Bob".
    slack.people["USLACKBOT"] = person("USLACKBOT", "slackbot")
    assert ":no_entry:" in talk.answer("test say hello Bob", user="USLACKBOT")
    # As Slack says it of a bot in a workspace of an organisation.
    talk.bot()._about["enterprise_id"] = "E1"
    works_at: dict[str, Any] = {"enterprise_id": "E2", "teams": ["T2", TEAM]}
    slack.people["U8"] = person("U8", "eve", team_id="T2", enterprise_user=works_at)
    assert ":no_entry:" in talk.answer("test say hello Bob", user="U8")
    works_at |= {"enterprise_id": "E1", "teams": ["T2"]}
    assert ":no_entry:" in talk.answer("test say hello Bob", user="U8")
    works_at["teams"].append(TEAM)
    talk.tell("test say hello Bob", user="U8")
    assert [result.username for result in results(db)] == ["slack-eve"]


def test_who_may_see_nothing_is_offered_nothing(talk: Talk, db: Session, say_hello: JobRecord):
    for permission in db.scalars(select(Permission).where(Permission.kind == "job")):
        permission.enabled = False
    db.commit()
    assert "`test`" not in talk.answer("test say hello Bob")
    for permission in db.scalars(select(Permission).where(Permission.name == "See restricted jobs")):
        permission.enabled, permission.constraints = True, []
    db.commit()
    assert "was not run. There is no permission by which slack-alice may" in talk.answer("test say hello Bob")
    assert results(db) == []


def test_strangers_are_told_to_connect_where_the_portal_wants_that(
    slack: SlackStandIn, settings: Settings, db: Session, say_hello: JobRecord
):
    apps = running(replace(settings, slack=slack.settings(strangers=False)))
    talk = Talk(next(apps), slack, db)
    assert "choose *Connect Slack*" in talk.answer("help")
    assert db.scalar(select(func.count(User.id))) == 0
    assert next(apps, None) is None


def test_a_disabled_account_does_nothing(talk: Talk, db: Session, say_hello: JobRecord):
    talk.tell("test say hello Bob")
    db.scalars(select(User).where(User.username == "slack-alice")).one().active = False
    db.commit()
    assert talk.answer("test say hello Eve") == "Your account here is disabled. Ask an administrator."
    assert len(results(db)) == 1


def test_two_people_of_one_name_have_two_accounts(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    slack.people["U2"]["name"] = "Alice!"
    slack.people["U3"]["name"] = "alice"
    for user in ("U1", "U2", "U3"):
        talk.tell("test say hello Bob", user=user)
    assert [result.username for result in results(db)] == ["slack-alice", "slack-Alice-u2", "slack-alice-u3"]


# --- What the bot does not hear ---------------------------------------------------------------------------------


def test_what_is_not_said_to_the_bot_is_left_alone(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord
):
    silent = [
        slack.mention("test say hello a", user=BOT_USER, bot_id=BOT_ID),
        slack.direct("test say hello b", subtype="message_changed"),
        slack.direct("test say hello c", bot_id="B7"),
        slack.direct("test say hello d", channel="C1", channel_type="channel"),
        slack.mention("test say hello e", before="Good morning\n"),
        slack.event({"type": "reaction_added", "user": "U1", "reaction": "x"}),
    ]
    assert [talk.send(event) for event in silent] == [200] * len(silent)
    assert talk.answer("please test say hello f").startswith("I'm sorry")
    assert (results(db), len(slack.messages)) == ([], 1)


def test_messages_for_people_who_help_are_no_commands(
    slack: SlackStandIn, settings: Settings, db: Session, say_hello: JobRecord
):
    apps = running(replace(settings, slack=slack.settings(support_keyword="tech[- ]support")))
    talk = Talk(next(apps), slack, db)
    talk.tell("test say hello Tech-Support")
    talk.tell("test say hello tech support", user="U2")
    assert results(db) == []
    talk.tell("test say hello Bob")
    assert len(results(db)) == 1
    assert next(apps, None) is None


def test_only_what_slack_has_signed_is_heard(
    talk: Talk, app: Flask, slack: SlackStandIn, settings: Settings, db: Session, say_hello: JobRecord
):
    event = slack.mention("test say hello Bob")
    assert talk.send(event, secret="another") == 401
    assert talk.send(event, at=time.time() - 400) == 401
    client = app.test_client()
    signed = slack.signed(event)
    assert client.post("/slack/events", data=signed["data"]).status_code == 401
    assert (
        client.post("/slack/events", data=signed["data"] + " ", headers=signed["headers"]).status_code == 401
    )
    hello = slack.signed({"type": "url_verification", "challenge": "c-1"})
    assert client.post("/slack/events", **hello).get_json() == {"challenge": "c-1"}
    assert (results(db), slack.calls) == ([], [])
    for missing in ("bot_token", "signing_secret"):
        apps = running(replace(settings, slack=slack.settings(**{missing: ""})))
        assert Talk(next(apps), slack, db).send(event) == 404
        assert next(apps, None) is None


# --- Help, status, remove, suppressions ---------------------------------------------------------------------------


def test_help_lists_what_somebody_may_say(
    talk: Talk, slack: SlackStandIn, db: Session, say_hello: JobRecord, make_job: Callable[..., JobRecord]
):
    make_job("zip", slack_commands=[command("archive zip"), command("archive all", help="<All>")])
    general = talk.answer("what?")
    assert general.startswith("I'm sorry, I didn't understand you\n")
    general = talk.answer("help")
    lines = general.split("\n")
    assert [line for line in lines if line.startswith("* ")] == [
        "* `archive`",
        ONLY_LOGS,
        "* `test`: Tries &lt;things&gt;",
    ]
    enter = [line for line in lines if line.startswith("Enter `@errand ")]
    assert [line.split("`")[1] for line in enter] == [
        "@errand [group] help",
        "@errand status",
        "@errand remove job id [id]",
    ]
    for asked in ("archive help", "help archive"):
        assert talk.answer(asked).split("\n")[-2:] == [
            "* `@errand archive all`: &lt;All&gt;",
            "* `@errand archive zip`: Does archive zip",
        ]
    # Alone with it nobody need mention it.
    talk.whisper("help test")
    until(lambda: slack.texts("D1"), "an answer")
    assert slack.texts("D1")[0].endswith("* `test say hello [name]`: Does test say hello [name]")
    slack.rate_limit("chat.postMessage", 0)
    assert talk.answer("help") == general


def test_status_tells_what_goes_on_and_remove_ends_it(
    talk: Talk,
    slack: SlackStandIn,
    db: Session,
    say_hello: JobRecord,
    make_result: Callable[..., JobResult],
    monkeypatch: pytest.MonkeyPatch,
):
    say_hello.dialect = "bennettbot"
    begun = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    going = make_result(say_hello, "running", created_at=begun, concurrency_key="k")
    moment = now()
    for start, end in ((-1, 1), (2, 3)):
        times = {"starts_at": moment + timedelta(hours=start), "ends_at": moment + timedelta(hours=end)}
        db.add(Suppression(job_id=say_hello.id, **times))
    db.commit()
    talk.tell("test say hello Bob")
    waiting = results(db)[-1]
    lines = talk.answer("status").split("\n")
    assert lines[:2] == [
        "There is 1 running job:",
        f"* [{going.id.hex[:8]}] test_hello (started at 2026-01-02 03:04:05 UTC)",
    ]
    assert lines[3] == "There is 1 scheduled job:"
    assert lines[4].startswith(f"* [{waiting.id.hex[:8]}] test_hello (starting after ")
    assert lines[6] == "There is 1 active suppression:"
    assert lines[9] == "There is 1 scheduled suppression:"
    assert lines[10].startswith("* test_hello (from ")

    answer = talk.answer(f"remove job id {waiting.id.hex[:8]}")
    assert answer == f"Job id [{waiting.id.hex[:8]}] removed"
    assert slack.reactions[-1][2] == "crossed_fingers"
    # One that runs goes on, and is in nobody's way.
    answer = talk.answer(f"remove job id {going.id}")
    assert answer.startswith(f"Job id [{going.id}] removed. It goes on running")
    db.expire_all()
    assert (waiting.status, going.status, going.concurrency_key) == ("canceled", "running", None)
    for nothing in ("12", "x" * 200, "&lt;b&gt;", waiting.id.hex[:8], ""):
        answer = talk.answer(f"remove job id {nothing}")
        assert answer.startswith("Job id [")
        assert answer.endswith("] not found in running or scheduled jobs")
        assert len(answer) < 150
    # What others have asked for is theirs to cancel.
    say_hello.dialect = "native"
    db.commit()
    assert ":no_entry:" in talk.answer(f"remove job id {going.id.hex[:8]}")


def test_suppressions_hold_for_hours_of_today(talk: Talk, db: Session, make_job: Callable[..., JobRecord]):
    job = make_job(
        "deploy",
        class_name="op_deploy",
        slack_commands=[
            command("op suppress deploys from [start_at] to [end_at]", action="schedule_suppression"),
            command("op cancel suppression", action="cancel_suppression"),
            command("op stop", action="cancel_job"),
            command("op deploy"),
        ],
    )
    answer = talk.answer("op suppress deploys from 0000 to 23:59")
    assert answer == "op_deploy suppressed from 00:00 UTC to 23:59 UTC"
    [row] = db.scalars(select(Suppression)).all()
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert (row.job_id, row.starts_at, row.ends_at) == (job.id, today, today + timedelta(minutes=24 * 60 - 1))
    for wrong in (
        "10:00 to 9:00",
        "10:00 to 10:00",
        "24:00 to 24:01",
        "now to then",
        "1 to 2",
        "10:00 to 11:00 or so",
    ):
        assert talk.answer(f"op suppress deploys from {wrong}").startswith("Wrong time format - `[start_at]`")
    talk.tell("op deploy")
    talk.tell("op deploy")
    talk.tell("op stop")
    assert [result.status for result in results(db)] == ["canceled", "canceled"]
    assert talk.answer("op cancel suppression") == "op_deploy suppressions cancelled"
    assert db.scalars(select(Suppression)).all() == []


# --- showlogs -------------------------------------------------------------------------------------------------


def test_showlogs_shows_what_a_run_has_printed(
    talk: Talk,
    slack: SlackStandIn,
    db: Session,
    settings: Settings,
    platform: Platform,
    say_hello: JobRecord,
    make_result: Callable[..., JobResult],
):
    begun = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    result = make_result(
        say_hello, created_at=begun, results={"logs": "/host/logs/test_hello/20260102-030406"}
    )
    make_result(say_hello, created_at=begun, results={"logs": "/host/logs/test_hello/20260102-030405"})
    printed = "\n".join(f"line <{number}>" for number in range(1, 101)) + "\n"
    for name, content in (("stdout", printed), ("stderr", "no `good`\n")):
        key = file_store(settings, platform.engine).put(BytesIO(content.encode()))
        db.add(RunFile(key=key, result_id=result.id, name=name, size_bytes=len(content)))
    db.commit()

    tail = talk.answer(f"showlogs tail output {result.id.hex[:8]}")
    assert tail.startswith("```line &lt;51&gt;\n")
    assert tail.endswith("line &lt;100&gt;```")
    assert "line &lt;50&gt;```" in talk.answer(f"showlogs head output {result.id}")
    for folder in ("/host/logs/test_hello/20260102-030406/", "x/test_hello/20260102-030406/stderr"):
        assert talk.answer(f"showlogs all error {folder}") == "```no `good````"
    for nobody in (
        "ffffffff",
        "test_hello/20260102-030407",
        "test_hello/20260199-030407",
        "/etc/passwd",
    ):
        assert talk.answer(f"showlogs all error {nobody}").startswith("I know no run ")
    for asked in ("showlogs", "showlogs help"):
        assert "`@errand showlogs head|tail|all output|error" in talk.answer(asked)
    say_hello.class_path = "local/greetings/test_hello"
    talk.tell(f"showlogs all output {result.id.hex[:8]}", thread_ts="7.7")
    # Fits as code; what is longer is a file.
    until(lambda: slack.texts(thread_ts="7.7"), "an answer")
    longer = file_store(settings, platform.engine).put(BytesIO(printed.encode() * 10))
    db.execute(update(RunFile).where(RunFile.name == "stdout").values(key=longer))
    talk.tell(f"showlogs all output {result.id.hex[:8]}", thread_ts="8.8")
    [upload] = until(lambda: slack.files, "a file")
    assert (upload.channel, upload.thread_ts) == ("C1", "8.8")
    assert upload.content.decode() == (printed * 10).rstrip("\n")
    # Who may not see a run does not learn of it.
    for permission in db.scalars(select(Permission).where(Permission.kind == "result")):
        permission.enabled = False
    db.commit()
    assert talk.answer(f"showlogs tail output {result.id.hex[:8]}").startswith("I know no run ")
