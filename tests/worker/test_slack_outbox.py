"""What Slack is told of runs that were asked for there: once, in order, again where it was not taken, and never by two."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from jobs.report import Report, Text
from store.files import file_store
from store.models import (
    Approval,
    JobRecord,
    JobResult,
    RunFile,
    RunReport,
    SlackRequest,
    Status,
    now,
)
from store.platform import Platform
from store.settings import Settings
from tests.slack_stand_in import Answer, SlackStandIn
from tests.waiting import until
from tests.worker.engine import at_once
from worker.duty import Duty, Facts
from worker.host import this_process
from worker.presence import SCHEDULER
from worker.slack import outbox as outboxes
from worker.slack.outbox import LEASE, TOO_LATE, Outbox, forget_old_messages, say
from worker.slack.steps import SOON

PORTAL = "https://portal.example"
THREAD = "1764410000.000001"


class Office:
    """An outbox whose clock goes by hand, the runs it tells of, and the Slack it tells."""

    def __init__(self, settings: Settings, platform: Platform, slack: SlackStandIn, **facts: Any) -> None:
        self.slack = slack
        self.platform = platform
        self.settings = replace(
            settings,
            slack=slack.settings(**facts),
            notices=replace(settings.notices, url=PORTAL),
        )
        self.moment = now()
        self.outbox = self.another()

    def another(self) -> Outbox:
        return Outbox(self.settings, self.platform, clock=lambda: self.moment)

    def ask(self, *, status: str = Status.PENDING, job: dict[str, Any] | None = None, **place: Any) -> int:
        """Have somebody ask for a run in Slack; return the number of the request."""
        facts = {
            "name": "hello",
            "grouping": "test",
            "dialect": "bennettbot",
            "slack_report": {"report_stdout": True},
            **(job or {}),
        }
        asked = {"channel": "C1", "thread_ts": THREAD, "message_ts": THREAD, "slack_user": "U1", **place}
        with self.platform.session() as db:
            path = f"local/bots{uuid4().hex[:8]}/test_hello"
            record = JobRecord(
                class_path=path,
                source="local",
                module="bots",
                class_name="test_hello",
                refreshed_at=now(),
                **facts,
            )
            db.add(record)
            db.flush()
            result = JobResult(
                job_id=record.id,
                class_path=path,
                name=record.name,
                username="alice",
                time_limit=60.0,
                status=status,
                created_at=self.moment,
            )
            db.add(result)
            db.flush()
            request = SlackRequest(result_id=result.id, created_at=self.moment, **asked)
            db.add(request)
            db.commit()
            return request.id

    def run_id(self, number: int) -> UUID:
        return self.request(number).result_id or UUID(int=0)

    def begin(self, number: int) -> None:
        self.write(number, status=Status.RUNNING, started_at=self.moment)

    def end(
        self, number: int, stdout: str | None = None, status: str = Status.COMPLETED, **facts: Any
    ) -> None:
        if stdout is not None:
            self.keep(number, stdout.encode())
        self.write(number, **{"started_at": self.moment, **facts}, status=status, finished_at=self.moment)

    def keep(self, number: int, stdout: bytes) -> None:
        key = file_store(self.settings, self.platform.engine).put(io.BytesIO(stdout))
        with self.platform.session() as db:
            run = self.run_id(number)
            db.add(RunFile(key=key, result_id=run, name="stdout", size_bytes=len(stdout)))
            db.commit()

    def write(self, number: int, **values: Any) -> None:
        with self.platform.session() as db:
            db.execute(update(JobResult).where(JobResult.id == self.run_id(number)).values(**values))
            db.commit()

    def look(self, seconds: float = 0) -> int:
        self.moment += timedelta(seconds=seconds)
        return self.outbox.look_once()

    def request(self, number: int) -> SlackRequest:
        with self.platform.reading() as db:
            return db.get_one(SlackRequest, number)

    def state(self, number: int) -> str:
        return self.request(number).state


@pytest.fixture
def office(settings: Settings, platform: Platform, slack: SlackStandIn) -> Office:
    return Office(settings, platform, slack)


def posted(office: Office, channel: str = "C1") -> list[dict[str, Any]]:
    return [message for message in office.slack.messages if message["channel"] == channel]


def test_a_command_is_answered_in_its_thread_when_it_has_ended(office: Office):
    number = office.ask()
    assert office.look() == 0
    office.begin(number)
    assert office.look() == 1
    assert office.slack.texts("C2") == ["Command `test_hello` about to start"]
    # What takes no time is told of once.
    assert office.slack.texts("C1") == []
    assert office.look(0.5) == 0
    office.end(number, "Hello\n")
    assert office.look() == 1
    assert office.slack.reactions == [("C1", THREAD, "white_check_mark")]
    [said] = posted(office)
    assert (said["text"], said["thread_ts"]) == ("Hello", THREAD)
    assert f"{PORTAL}/results/{office.run_id(number)}" in json.dumps(said["attachments"])
    request = office.request(number)
    assert (request.state, request.problem) == ("answered", "")
    assert request.answered_at == office.moment
    assert office.look(100) == 0
    assert len(office.slack.messages) == 2


def test_who_waits_longer_finds_the_live_run(office: Office):
    number = office.ask()
    quiet = office.ask(job={"slack_report": {"report_stdout": True, "suppress_empty": True}})
    unasked = office.ask(slack_user="", channel="general")
    for each in (number, quiet, unasked):
        office.begin(each)
    office.look()
    assert office.slack.texts("C1") == []
    assert office.look(SOON.total_seconds()) == 1
    [said] = posted(office)
    assert said["text"] == "Command `test_hello` is running."
    assert str(office.run_id(number)) in json.dumps(said)
    assert office.look(1) == 0


def test_a_failure_is_told_and_the_support_is_called(office: Office):
    number = office.ask()
    office.end(number, "ignored", Status.FAILED, cause="The command ended with exit code 3.")
    office.look()
    assert office.slack.reactions == [("C1", THREAD, "x")]
    [said] = posted(office)
    assert "The command ended with exit code 3." in said["text"]
    assert f"`@errand showlogs tail error {office.run_id(number).hex[:8]}`" in said["text"]
    [call] = office.slack.texts("C3")
    assert call.endswith(f"/archives/C1/p{said['ts'].replace('.', '')}")
    # Nobody is called from a direct message, nor where the job says so.
    office.end(office.ask(channel="D1", is_im=True), None, Status.ERRORED)
    office.end(office.ask(job={"slack_report": {"call_support": False}}), None, Status.ERRORED)
    assert office.look() == 2
    assert len(office.slack.texts("C3")) == 1
    assert "`showlogs tail error " in office.slack.texts("D1")[0]
    # Without a link to it, the message itself is shown.
    office.slack.fail("chat.getPermalink", "message_not_found")
    office.end(office.ask(), None, Status.ERRORED)
    office.look()
    assert office.slack.texts("C3")[1] == office.slack.texts("C1")[-1]


def test_what_a_command_of_bennettbot_kept_aside_is_told(office: Office):
    kept = {"logs": "/srv/logs/test_hello/1", "fabfile_problem": "The fabfile could not be fetched <!here>."}
    number = office.ask()
    office.end(number, None, Status.FAILED, results=kept)
    office.look()
    assert "`/srv/logs/test_hello/1`" in office.slack.texts("C1")[0]
    assert office.slack.texts("C2") == [
        "Command `test_hello` about to start",
        ":warning: The fabfile could not be fetched &lt;!here&gt;.",
    ]
    # What other jobs keep under these names is their own.
    office.end(office.ask(job={"dialect": "2"}), None, Status.FAILED, results=kept)
    office.look()
    assert "/srv/logs" not in office.slack.texts("C1")[1]
    assert len(office.slack.texts("C2")) == 3


def test_long_output_is_a_file_in_the_thread(office: Office):
    long = "<line> ä\n" * 1_000
    code = office.ask(job={"slack_report": {"report_stdout": True, "report_format": "code"}})
    office.end(code, long)
    # A file goes to the id of a channel: the name of one has to be found out.
    named = office.ask(
        channel="#general",
        thread_ts=None,
        message_ts=None,
        job={"slack_report": {"report_stdout": True, "report_format": "file"}},
    )
    office.end(named, "short")
    office.look()
    first, second = office.slack.files
    assert (first.channel, first.thread_ts, first.content.decode()) == ("C1", THREAD, long)
    assert first.name == "test_hello.txt"
    assert (second.channel, second.thread_ts, second.content) == ("C1", None, b"short")
    assert office.slack.texts("C1") == ["Output of command `test_hello`"] * 2
    assert {office.state(code), office.state(named)} == {"answered"}


def test_what_is_too_long_for_slack_is_cut_and_terminals_and_secrets_stay_out(office: Office):
    number = office.ask(job={"slack_report": {"report_stdout": True, "report_format": "file"}})
    office.end(number, "\x1b[31mred\x1b[0m \x00 password: hunter2\n" + "x" * 1_000_000)
    office.look()
    [file] = office.slack.files
    assert file.content.decode().startswith("red \N{REPLACEMENT CHARACTER} password: ")
    assert b"hunter2" not in file.content
    assert len(file.content) < 1_000_100
    assert "the beginning" in office.slack.texts("C1")[0]


def test_secrets_stay_out_of_blocks_too(office: Office):
    in_blocks = {"slack_report": {"report_stdout": True, "report_format": "blocks"}}
    said = "Hello\npassword: hunter2"
    whole = json.dumps([{"type": "section", "text": {"type": "mrkdwn", "text": said}}])
    for printed in (whole, whole[:-1]):
        office.end(office.ask(job=in_blocks), printed)
    office.look()
    [block] = posted(office)[0]["blocks"]
    assert block["text"]["text"] == "Hello\npassword: (redacted)"
    [file] = office.slack.files
    assert b"hunter2" not in file.content


def test_blocks_that_slack_does_not_take_come_as_a_file(office: Office):
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]
    in_blocks = {"slack_report": {"report_stdout": True, "report_format": "blocks"}}
    number = office.ask(job=in_blocks)
    office.end(number, json.dumps(blocks))
    office.look()
    assert posted(office)[0]["blocks"] == blocks
    office.slack.fail("chat.postMessage", "invalid_blocks")
    refused = office.ask(job=in_blocks)
    office.end(refused, json.dumps(blocks), started_at=None)
    office.look()
    office.look()
    assert "did not take the blocks" in office.slack.texts("C1")[-1]
    assert json.loads(office.slack.files[0].content) == blocks
    assert office.state(refused) == "answered"


def test_jobs_that_are_no_commands_show_their_report(office: Office):
    told = office.ask(job={"name": "Count", "dialect": "2", "slack_report": {}})
    with office.platform.session() as db:
        db.add(RunReport(result_id=office.run_id(told), data=Report(Text("3 < 4")).as_data(), pieces=1))
        db.commit()
    office.end(told)
    plain = office.ask(job={"name": "Count", "dialect": "2", "slack_report": {}})
    office.end(plain, output="not asked for")
    shown = office.ask(job={"name": "Count", "dialect": "2"})
    office.end(shown, output="1 & 2")
    office.look()
    assert office.slack.texts("C1") == ["3 &lt; 4", "Command `test_hello` succeeded", "1 &amp; 2"]


def test_an_approval_is_asked_for_and_its_decision_takes_its_place(office: Office):
    number = office.ask(status=Status.AWAITING_APPROVAL)
    with office.platform.session() as db:
        db.add(Approval(result_id=office.run_id(number)))
        db.commit()
    assert office.look() == 1
    [said] = posted(office)
    assert "errand.approve" in json.dumps(said["blocks"])
    assert said["thread_ts"] == THREAD
    assert office.look(60) == 0
    with office.platform.session() as db:
        approval = db.scalars(select(Approval)).one()
        approval.decision, approval.decided_by, approval.comment = "denied", "bob", "Not today"
        db.commit()
    office.end(number, None, Status.DENIED, cause="Denied by bob: Not today", started_at=None)
    office.look(60)
    assert "Denied by bob" in json.dumps(said["blocks"])
    assert "errand.approve" not in json.dumps(said["blocks"])
    assert office.slack.reactions == [("C1", THREAD, "x")]
    assert "Not today" in office.slack.texts("C1")[-1]
    assert office.slack.texts("C2") == []


def test_what_was_taken_back_is_told_to_nobody(office: Office):
    number = office.ask()
    office.end(number, None, Status.CANCELED, canceled_by="alice", started_at=None)
    assert office.look() == 1
    assert office.state(number) == "answered"
    assert office.slack.calls == []


def test_slack_is_asked_again_then_told_of_the_trouble_then_given_up(office: Office):
    number = office.ask(message_ts=None)
    office.slack.fail("chat.postMessage", "internal_error", times=2)
    office.end(number, "Hello", started_at=None)
    office.look()
    assert office.look(0.5) == 0
    office.look(0.5)
    assert office.slack.texts() == []
    office.look(1)
    assert office.slack.texts() == ["Hello"]
    assert office.state(number) == "answered"

    lost = office.ask(message_ts=None)
    office.slack.fail("chat.postMessage", "not_in_channel", times=3)
    office.end(lost, "Hello again", started_at=None)
    for _ in range(3):
        office.look(1)
    assert office.slack.texts()[1:] == ["Could not notify slack: not_in_channel\nHello again"]
    request = office.request(lost)
    assert (request.state, request.problem, request.tries) == ("failed", "not_in_channel", 2)

    # Not even that: it never ends in an exception.
    office.slack.hang_up("chat.postMessage", times=4)
    hung_up = office.ask(message_ts=None)
    office.end(hung_up, "Hello", started_at=None)
    for _ in range(4):
        office.look(1)
    assert office.state(hung_up) == "failed"
    assert office.request(hung_up).problem.startswith("Slack could not be reached")
    assert len(office.slack.called("chat.postMessage")) == 3 + 4 + 4


def test_a_message_to_the_logs_or_a_reaction_that_fails_keeps_no_answer(office: Office):
    number = office.ask()
    office.slack.fail("chat.postMessage", "channel_not_found")
    office.slack.fail("reactions.add", "no_reaction")
    office.end(number, "Hello")
    office.look()
    assert office.slack.texts() == ["Hello"]
    office.look(1)
    assert office.slack.texts("C2") == ["Command `test_hello` about to start"]
    assert office.state(number) == "answered"
    assert len(office.slack.called("reactions.add")) == 1


def test_where_slack_wants_a_rest_it_gets_one_and_the_others_go_on(office: Office):
    numbers = [office.ask(message_ts=None) for _ in range(2)]
    other = office.ask(channel="D1", message_ts=None)
    office.slack.rate_limit("chat.postMessage", seconds=7)
    for each in (*numbers, other):
        office.end(each, f"Hello {each}", started_at=None)
    office.look()
    assert office.slack.texts() == [f"Hello {other}"]
    assert len(office.slack.called("chat.postMessage")) == 2
    assert office.look(6.5) == 0
    office.look(0.5)
    assert office.slack.texts("C1") == [f"Hello {each}" for each in numbers]
    assert {office.request(each).tries for each in numbers} == {0}


def test_an_upload_that_is_cut_off_is_done_again_and_its_message_is_not(office: Office):
    number = office.ask(
        job={"slack_report": {"report_stdout": True, "report_format": "file"}}, message_ts=None
    )
    office.slack.answer("upload", Answer(status=503), Answer(status=429, headers={"Retry-After": "3"}))
    office.end(number, "Hello", started_at=None)
    for seconds in (0, 1, 3):
        office.look(seconds)
    assert office.slack.texts() == ["Output of command `test_hello`"]
    assert [file.content for file in office.slack.files] == [b"Hello"]
    assert office.state(number) == "answered"


def test_who_dies_in_the_middle_leaves_the_rest_to_the_next(office: Office, monkeypatch: pytest.MonkeyPatch):
    number = office.ask()
    office.end(number, "Hello")

    def die(place: str) -> None:
        if place == "slack.said" and office.slack.reactions:
            raise KeyboardInterrupt

    monkeypatch.setattr("worker.slack.teller.reach", die)
    with pytest.raises(KeyboardInterrupt):
        office.look()
    monkeypatch.undo()
    assert office.look(LEASE.total_seconds() - 1) == 0
    office.outbox = office.another()
    office.look(1)
    assert office.slack.texts() == ["Command `test_hello` about to start", "Hello"]
    assert office.state(number) == "answered"


def test_what_was_said_is_noted_though_the_database_was_away(office: Office, monkeypatch: pytest.MonkeyPatch):
    number = office.ask(message_ts=None)
    office.end(number, "Hello", started_at=None)
    session, failures = office.platform.session, iter([False, True, True])

    def flaky() -> Any:
        if next(failures, False):
            raise OperationalError("UPDATE", None, Exception("gone"))
        return session()

    monkeypatch.setattr(office.platform, "session", flaky)
    monkeypatch.setattr(outboxes, "PAUSES", (0, 0, 0))
    office.look()
    assert office.slack.texts() == ["Hello"]
    assert next(failures, None) is None
    assert office.state(number) == "answered"


@pytest.mark.in_turn
def test_of_many_outboxes_one_tells(live: Settings, live_platform: Platform, slack: SlackStandIn):
    office = Office(live, live_platform, slack)
    numbers = [office.ask() for _ in range(8)]
    for number in numbers:
        office.end(number, f"Hello {number}")
    at_once(*[office.another().look_once for _ in range(4)])
    office.look()
    assert sorted(slack.texts("C1")) == sorted(f"Hello {number}" for number in numbers)
    assert len(slack.texts("C2")) == len(numbers)
    assert {office.state(number) for number in numbers} == {"answered"}


def test_what_nobody_could_tell_for_a_day_is_told_no_more(office: Office):
    number = office.ask()
    office.end(number, "Hello")
    office.look(TOO_LATE.total_seconds() + 1)
    assert office.slack.calls == []
    assert office.request(number).problem == "For a day, nobody could tell Slack."


def test_plain_messages_are_said_and_forgotten(office: Office, monkeypatch: pytest.MonkeyPatch):
    with office.platform.session() as db:
        say(db, "#general", "Not deploying\x00", thread_ts=THREAD)
        db.commit()
    assert office.look() == 1
    [said] = posted(office)
    assert (said["text"], said["thread_ts"]) == ("Not deploying\N{REPLACEMENT CHARACTER}", THREAD)
    forget_old_messages(office.platform)
    assert office.state(1) == "answered"
    # Whoever says it writes down their own time.
    later = now() + outboxes.KEPT
    monkeypatch.setattr("worker.slack.outbox.now", lambda: later)
    forget_old_messages(office.platform)
    with office.platform.reading() as db:
        assert db.get(SlackRequest, 1) is None


def test_every_process_on_duty_has_an_outbox_if_it_knows_the_bot(office: Office):
    def duty(settings: Settings) -> Duty:
        return Duty(
            settings, kind=SCHEDULER, name="s", queues=(), process=this_process(), facts=lambda: Facts()
        )

    number = office.ask()
    office.end(number, "Hello")
    silent = duty(replace(office.settings, slack=office.slack.settings(bot_token="")))
    silent.start()
    silent.end()
    assert office.slack.calls == []
    on_duty = duty(office.settings)
    on_duty.start()
    try:
        until(lambda: office.state(number) == "answered", "an answer")
    finally:
        on_duty.end()
