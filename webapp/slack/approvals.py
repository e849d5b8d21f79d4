"""Approve and Deny in Slack: whoever clicks sees what is asked for, and decides under the account that is theirs here."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from slack_bolt import Ack, App, Respond
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from jobs.errors import InvalidData
from store.audit import Actor, acting
from store.models import Approval, JobResult, Status, User
from store.permissions import Forbidden, NotVisible, allowed
from webapp.inputs import ShownInput, shown_inputs
from webapp.slack.blocks import INPUT, LONGEST_LABEL, LONGEST_SECTION, MOST_BLOCKS, modal, plain, section
from webapp.slack.bot import Bot
from webapp.slack.clicks import Refused, connected_actor, replace_message, whisper
from webapp.slack.in_time import Answer, answer_in_time
from worker.approvals import LONGEST_COMMENT, AlreadyDecided, Decision, decide, require_approver
from worker.lookups import open_data
from worker.messages import mrkdwn
from worker.slack.approval_message import APPROVE, DENY, OPEN, decided_blocks_of, needs_page, text_of
from worker.slack.client import NotTaken, taken

#: What a form of ours is sent off as.
DECIDE = "errand.decide"
COMMENT = "comment"

#: Above and below the inputs.
_OTHER_BLOCKS = 5

GONE = "There is no such run that you may see."
OVER = "Somebody has decided on this already, or it was taken back."
TOO_MUCH = "There is more to look at than Slack shows: decide on it in the portal."

_DECISIONS: Mapping[str, Decision] = {APPROVE: "approved", DENY: "denied"}


@dataclass(frozen=True, slots=True)
class Clicked:
    """A button, and the message that it is in."""

    decision: Decision
    result_id: UUID
    channel: str
    ts: str

    @property
    def written(self) -> str:
        return " ".join((self.decision, self.result_id.hex, self.channel, self.ts))


def read_clicked(text: str) -> Clicked:
    decision, result_id, channel, ts = text.split(" ")
    return Clicked("approved" if decision == "approved" else "denied", UUID(result_id), channel, ts)


class Decisions:
    """Answers what people do with requests."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="slack-decide")

    def open(self, body: Mapping[str, Any]) -> None:
        """Show what is asked for to who clicked. Raises Refused."""
        action = body["actions"][0]
        channel, ts = body["channel"]["id"], body["message"]["ts"]
        clicked = Clicked(_DECISIONS[action["action_id"]], UUID(action["value"]), channel, ts)
        user = connected_actor(self._bot, body)
        with self._bot.platform.reading() as db:
            result = _find(db, clicked.result_id, user)
            if result.status != Status.AWAITING_APPROVAL:
                self._show_decided(clicked)
                raise Refused(OVER)
            _require_may_decide(db, user, result)
            view = self._view(clicked, result)
        try:
            with taken():
                self._bot.client.views_open(trigger_id=body["trigger_id"], view=view)
        except NotTaken as error:
            raise Refused(f"Slack did not show the request: {error}.") from error

    def send(self, ack: Callable[..., Any], body: Mapping[str, Any]) -> None:
        """Decide."""
        answer_in_time(self._pool, self._bot.client, ack, body["view"]["id"], lambda: self._sent(body))

    def _view(self, clicked: Clicked, result: JobResult) -> dict[str, Any]:
        with open_data(self._bot.settings).session() as data:
            inputs = shown_inputs(result, result.job, data)
        blocks = [section(_asked(result)), *map(_input, inputs)]
        complete = all(len(_text(each)) <= LONGEST_SECTION for each in inputs)
        complete &= len(blocks) <= MOST_BLOCKS - _OTHER_BLOCKS
        if clicked.decision == "approved" and (needs_page(result.job) or not complete):
            raise Refused(TOO_MUCH)
        word = "Approve" if clicked.decision == "approved" else "Deny"
        blocks = [*blocks[: MOST_BLOCKS - _OTHER_BLOCKS], _comment(clicked.decision)]
        return modal(word, blocks, callback=DECIDE, metadata=clicked.written, submit=word)

    def _sent(self, body: Mapping[str, Any]) -> Answer:
        view = body["view"]
        clicked = read_clicked(view["private_metadata"])
        comment = view["state"]["values"][COMMENT][INPUT].get("value") or ""
        try:
            user = connected_actor(self._bot, body)
            with acting(Actor(user.username, "slack")):
                name = self._decide(clicked, user, comment)
        except InvalidData as refusal:
            sentence = _sentence(refusal)
            return Answer(modal("Not decided", [section(mrkdwn(sentence))]), errors={COMMENT: sentence})
        except Refused as refusal:
            return Answer(modal("Not decided", [section(refusal.text)]))
        finally:
            self._show_decided(clicked)
        return Answer(modal("Decided", [section(f"{mrkdwn(name)} is {clicked.decision}.")]), closes=True)

    def _decide(self, clicked: Clicked, user: User, comment: str) -> str:
        """Return what the run is called. Raises InvalidData or Refused."""
        with self._bot.platform.session() as db:
            result = _find(db, clicked.result_id, user)
            try:
                decide(db, self._bot.settings, result, clicked.decision, user=user, comment=comment)
            except NotVisible:
                raise Refused(GONE) from None
            except Forbidden as refusal:
                raise Refused(str(refusal)) from refusal
            except AlreadyDecided as late:
                raise Refused(str(late)) from late
            return result.name

    def _show_decided(self, clicked: Clicked) -> None:
        """Have the message say what was decided, once somebody has, wherever that was."""
        with self._bot.platform.reading() as db:
            query = select(Approval).where(Approval.result_id == clicked.result_id)
            approval = db.scalars(query.options(joinedload(Approval.result))).one_or_none()
        if approval is None or approval.result is None or approval.decision is None:
            return
        blocks = decided_blocks_of(approval.result, approval, self._bot.settings.notices.url)
        replace_message(self._bot, clicked.channel, clicked.ts, text_of(approval.result), blocks)


def register(app: App, bot: Bot) -> None:
    """Have the bot answer what people do with requests."""
    decisions = Decisions(bot)

    @app.action(APPROVE)
    @app.action(DENY)
    def clicked(ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        ack()
        try:
            decisions.open(body)
        except Refused as refusal:
            whisper(respond, refusal)

    @app.action(OPEN)
    def opened(ack: Ack) -> None:
        # Slack tells of links, too.
        ack()

    @app.view(DECIDE)
    def sent(ack: Ack, body: dict[str, Any]) -> None:
        decisions.send(ack, body)


# --- What is asked for ----------------------------------------------------------------------------------------


def _find(db: Session, result_id: UUID, user: User) -> JobResult:
    """Return the run. Raises Refused."""
    query = select(JobResult).where(JobResult.id == result_id)
    result = db.scalars(query.options(joinedload(JobResult.job))).one_or_none()
    if result is None or not allowed(user, "view", result):
        raise Refused(GONE)
    return result


def _require_may_decide(db: Session, user: User, result: JobResult) -> None:
    if result.job is None:
        raise Refused(OVER)
    try:
        require_approver(db, user, result, result.job)
    except NotVisible:
        raise Refused(GONE) from None
    except Forbidden as refusal:
        raise Refused(str(refusal)) from refusal


def _asked(result: JobResult) -> str:
    how = "as a dry run" if result.dry_run else "and save what it changes"
    code = result.job.code_digest[:8] if result.job else ""
    return (
        f"*{mrkdwn(result.shown_username)}* asks to run *{mrkdwn(result.name)}* on the queue "
        f"{mrkdwn(result.queue)} {how}. Code `{code or 'unknown'}`."
    )


def _input(shown: ShownInput) -> dict[str, Any]:
    return section(_text(shown))


def _text(shown: ShownInput) -> str:
    texts = [text for text, _ in shown.objects] or [shown.text]
    return f"*{mrkdwn(shown.label)}*\n{mrkdwn(', '.join(texts)) or '_empty_'}"


def _comment(decision: Decision) -> dict[str, Any]:
    needed = decision == "denied"
    return {
        "type": "input",
        "block_id": COMMENT,
        "optional": not needed,
        "label": plain("Reason" if needed else "Comment", LONGEST_LABEL),
        "hint": plain("Whoever asked for it will read that.", LONGEST_LABEL),
        "element": {
            "type": "plain_text_input",
            "action_id": INPUT,
            "multiline": True,
            "max_length": LONGEST_COMMENT,
        },
    }


def _sentence(refusal: InvalidData) -> str:
    each = refusal.errors.values() if isinstance(refusal.errors, Mapping) else [refusal.errors]
    return " ".join(sentence for sentences in each for sentence in sentences)
