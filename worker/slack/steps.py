"""The single things that Slack is still to be told of a run, in their order; each is done once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from store.models import FINAL, Approval, JobRecord, JobResult, SlackRequest, Status
from store.slack_settings import SlackSettings
from worker.slack import approval_message, formats
from worker.slack.formats import Message, Reply, Snippet, Told

#: What ends sooner is told of once, when it has ended.
SOON = timedelta(seconds=3)

#: What `said` of a request holds beside its steps: the id of its channel, how often each step was tried in vain, that
#: Slack has refused the blocks that a command printed, and why whoever asked has no answer.
CHANNEL, TRIES, REFUSED_BLOCKS, PROBLEM = "channel", "tries", "refused_blocks", "problem"


class Act(StrEnum):
    SAY = "say"
    #: Put something else in the place of what was said.
    CHANGE = "change"
    REACT = "react"
    UPLOAD = "upload"
    #: Show the support channel what was said.
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Step:
    #: Under which it is noted in `said` that it was done.
    name: str
    act: Act
    channel: str
    thread_ts: str | None = None
    #: What a message has beside its place.
    arguments: Mapping[str, Any] = field(default_factory=dict)
    snippet: Snippet | None = None
    emoji: str = ""
    #: The message that it is about.
    ts: str = ""
    #: It goes where the request came from.
    answers: bool = False
    #: Whoever asked has no answer without it.
    needed: bool = False

    @property
    def place(self) -> str:
        """Return for what Slack counts how much it is asked: the messages to each channel, and the rest by its kind."""
        return f"{self.act}:{self.channel}" if self.act in (Act.SAY, Act.CALL) else self.act


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request, and of its run; a plain message has none."""

    request: SlackRequest
    result: JobResult | None = None
    job: JobRecord | None = None
    approval: Approval | None = None

    @property
    def ended(self) -> bool:
        return self.result is None or self.result.status in FINAL

    @property
    def ended_at(self) -> datetime | None:
        """Return from when on everything could have been said; None: there is more to come."""
        return self.request.created_at if self.result is None else self.result.finished_at


def told_of(
    request: SlackRequest,
    result: JobResult,
    job: JobRecord | None,
    settings: SlackSettings,
    portal: str,
    bot: str = "",
) -> Told:
    """Return a run as Slack is told of it. bot: what people call the bot; portal: without a slash at its end."""
    return Told(
        # As in all that is said there of jobs.
        command=result.class_path.rpartition("/")[2],
        status=result.status,
        cause=result.cause or "",
        canceled_by=result.canceled_by or "",
        began=result.started_at is not None,
        url=f"{portal}/results/{result.id}" if portal else "",
        logs=str(_of_bennettbot(result, job, "logs")) if result.finished else "",
        key=result.id.hex[:8],
        bot="" if request.is_im or not bot else f"@{bot} ",
        is_im=request.is_im,
        support=bool(settings.support_channel),
        report=job.slack_report if job is not None else {},
    )


def _of_bennettbot(result: JobResult, job: JobRecord | None, name: str) -> Any:
    """Return what a command of bennettbot has kept under a name; other jobs mean what they like by it."""
    return result.results.get(name) or "" if job is not None and job.dialect == "bennettbot" else ""


def before_the_end(facts: Facts, settings: SlackSettings, portal: str, moment: datetime) -> Iterator[Step]:
    """Yield what is to be said, whether it has been or not, however far the run is."""
    request, result = facts.request, facts.result
    if result is None:
        yield _say("text", request, Message(request.text), needed=True)
        return
    told = told_of(request, result, facts.job, settings, portal)
    if result.started_at is not None and settings.logs_channel:
        said = formats.about_to_start(told).arguments()
        yield Step("notice", Act.SAY, settings.logs_channel, arguments=said)
    if result.status == Status.AWAITING_APPROVAL:
        blocks = approval_message.blocks_of(result, facts.job, portal)
        yield _about_approval("approval", Act.SAY, request, result, blocks)
    elif facts.approval is not None and facts.approval.decision and request.said.get("approval"):
        blocks = approval_message.decided_blocks_of(result, facts.approval, portal)
        yield _about_approval("decision", Act.CHANGE, request, result, blocks)
    if result.status == Status.RUNNING and _is_waited_for(request, result, facts.job, moment):
        yield _say("started", request, formats.started(told))


def _is_waited_for(request: SlackRequest, result: JobResult, job: JobRecord | None, moment: datetime) -> bool:
    """Tell whether somebody in Slack has waited for some time, and will not wait in vain."""
    quiet = job is not None and formats.is_quiet(job.slack_report)
    began_at = result.started_at
    return bool(request.slack_user) and not quiet and began_at is not None and moment - began_at >= SOON


def _about_approval(
    name: str, act: Act, request: SlackRequest, result: JobResult, blocks: list[dict[str, Any]]
) -> Step:
    said = {"text": approval_message.text_of(result), "blocks": blocks}
    if act is Act.SAY:
        return Step(name, act, request.channel, request.thread_ts, said, answers=True)
    channel = str(request.said.get(CHANNEL) or request.channel)
    return Step(name, act, channel, arguments=said, ts=str(request.said["approval"]))


def at_the_end(facts: Facts, settings: SlackSettings, reply: Reply) -> Iterator[Step]:
    """Yield what is said of a run that has ended, whether it has been or not."""
    request, result = facts.request, facts.result
    problem = _of_bennettbot(result, facts.job, "fabfile_problem") if result is not None else ""
    if problem and settings.logs_channel:
        yield Step("fabfile", Act.SAY, settings.logs_channel, arguments=formats.warning(problem).arguments())
    if reply.reaction and request.message_ts:
        yield Step("reaction", Act.REACT, request.channel, emoji=reply.reaction, ts=request.message_ts)
    for number, message in enumerate(reply.messages, start=1):
        kind = "blocks" if message.blocks else "reply"
        yield _say(kind if number == 1 else f"{kind}-{number}", request, message, needed=True)
    if reply.snippet is not None:
        yield Step("file", Act.UPLOAD, request.channel, request.thread_ts, snippet=reply.snippet, needed=True)
    if reply.calls and settings.support_channel:
        said = reply.messages[0].arguments()
        yield Step("call", Act.CALL, settings.support_channel, arguments=said)


def _say(name: str, request: SlackRequest, message: Message, *, needed: bool = False) -> Step:
    said = message.arguments()
    return Step(name, Act.SAY, request.channel, request.thread_ts, said, answers=True, needed=needed)


def open_steps(steps: Iterator[Step], said: Mapping[str, Any]) -> Sequence[Step]:
    return [step for step in steps if step.name not in said]
