"""Forms of jobs in Slack: opened by the button of a message, following what is typed, and sent off as a run.

What a form shows and takes is judged as on the job's page (see webapp.run_form); who sends it off needs the same
permission, and is told of the same refusals at the same inputs.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from slack_bolt import Ack, App, Respond

from jobs.errors import InvalidData
from store.audit import Actor, acting
from store.models import JobRecord, JobResult, Status
from store.permissions import Forbidden, NotVisible, require
from webapp.pickers import Text
from webapp.slack import words
from webapp.slack.actions import UNDERSTOOD
from webapp.slack.blocks import INPUT, modal, section
from webapp.slack.bot import Bot
from webapp.slack.clicks import Refused, actor, replace_message, whisper
from webapp.slack.fill_in import FILL_IN, Asked, read_asked
from webapp.slack.filling import RUN, Filling, cleaned
from webapp.slack.form_view import (
    SEARCH,
    blocks_by_name,
    name_of,
    options_of,
)
from webapp.slack.in_time import BUSY, FAILED, Answer, answer_in_time, update
from worker.commands import schedule_job
from worker.messages import cut, mrkdwn
from worker.slack.client import NotTaken, taken

LONGEST_ERROR = 1_000

LOOK_AGAIN = "Other inputs are asked for now. Look over them, then send it off."
GONE = "There is no such job that you may see."

logger = logging.getLogger("errand.slack")


class Forms:
    """Answers what people do with forms."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        #: Where is done what Slack would not wait for.
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="slack-form")

    def open(self, body: Mapping[str, Any]) -> None:
        """Show the form to who clicked. Raises Refused."""
        message = body["message"]
        asked = replace(
            read_asked(body["actions"][0]["value"]),
            channel=body["channel"]["id"],
            thread=message.get("thread_ts"),
            button=message["ts"],
        )
        filling = self._filling(body, asked)
        # It opens only for so long after a click: longer than that the job's own code may think.
        slow = filling.questions.needed()
        view_id = self._opened(body["trigger_id"], BUSY if slow else filling.first_view())
        if slow:
            self._later(lambda: update(self._bot.client, view_id, filling.first_view()), view_id)

    def follow(self, body: Mapping[str, Any]) -> None:
        """Have the form show what it asks for now that something else is chosen in it."""
        self._later(lambda: self._follow(body["view"], self._of_view(body)))

    def find(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what there is to choose from in an input, for what was typed into it."""
        name = name_of(body["block_id"])
        try:
            filling = self._of_view(body)
        except Refused:
            return []
        form = filling.build(filling.values(filling.typed(body["view"])), searches={name: body["value"]})
        found = next((field for field in form.shown if field.name == name), None)
        if found is None:
            return []
        return options_of(found.picker.found) if found.picker else options_of(found.options, body["value"])

    def send(self, ack: Callable[..., Any], body: Mapping[str, Any]) -> None:
        """Ask for the run."""
        answer_in_time(self._pool, self._bot.client, ack, body["view"]["id"], lambda: self._sent(body))

    # --- What is done -----------------------------------------------------------------------------------------

    def _filling(self, body: Mapping[str, Any], asked: Asked) -> Filling:
        """Return the form for who acts. Raises Refused."""
        user = actor(self._bot, body)
        with self._bot.platform.reading() as db:
            job = db.get(JobRecord, asked.job_id)
        try:
            if job is None:
                raise NotVisible
            require(user, "run", job)
        except NotVisible:
            raise Refused(GONE) from None
        except Forbidden as refusal:
            raise Refused(str(refusal)) from refusal
        return Filling(self._bot, asked, job, user)

    def _of_view(self, body: Mapping[str, Any]) -> Filling:
        return self._filling(body, read_asked(body["view"]["private_metadata"]))

    def _opened(self, trigger: str, view: dict[str, Any]) -> str:
        try:
            with taken():
                return str(self._bot.client.views_open(trigger_id=trigger, view=view)["view"]["id"])
        except NotTaken as error:
            raise Refused(f"Slack did not show the form: {error}.") from error

    def _later(self, act: Callable[[], None], waiting: str = "") -> None:
        """Do it in a thread of its own. waiting: the modal that has nothing to show before."""

        def acted() -> None:
            try:
                act()
            except Refused as refusal:
                logger.info("A form of Slack is not shown: %s", refusal)
            except Exception:
                # Nobody waits for what comes of it, so nobody else would say.
                logger.exception("A form of Slack broke.")
                if waiting:
                    update(self._bot.client, waiting, FAILED)

        self._pool.submit(acted)

    def _follow(self, view: Mapping[str, Any], filling: Filling) -> None:
        shown = filling.view(filling.build(filling.values(filling.typed(view))))
        # Nothing is shown anew that is as it was: somebody may be typing in it.
        if blocks_by_name(shown) != blocks_by_name(view):
            update(self._bot.client, view["id"], shown, view.get("hash"))

    def _sent(self, body: Mapping[str, Any]) -> Answer:
        view = body["view"]
        try:
            filling = self._of_view(body)
            with acting(Actor(filling.user.username, "slack")):
                return self._ask(filling, view, str(body["user"]["id"]))
        except (Refused, Forbidden, NotVisible) as refusal:
            text = refusal.text if isinstance(refusal, Refused) else mrkdwn(str(refusal) or GONE)
            return Answer(modal("Not run", [section(text)]))

    def _ask(self, filling: Filling, view: Mapping[str, Any], slack_user: str) -> Answer:
        typed, asked = filling.typed(view), filling.asked
        if others := _others(filling, view, typed):
            return Answer(others)
        try:
            with self._bot.platform.session() as db:
                result, kept_waiting = schedule_job(
                    db,
                    self._bot.settings,
                    filling.job,
                    {**asked.unseen, **typed},
                    filling.user,
                    channel=asked.channel,
                    thread_ts=asked.thread,
                    delay_seconds=asked.delay,
                    is_im=asked.im,
                    message_ts=asked.message,
                    slack_user=slack_user,
                    # Who sends it off twice, because Slack was slow, asks once.
                    idempotency_key=f"slack-form:{view['id']}",
                    form=True,
                )
        except InvalidData as refusal:
            return _refused(filling, view, typed, refusal.errors)
        said = _said(self._bot, filling, result, slack_user, kept_waiting=kept_waiting)
        self._later(lambda: self._mark(asked, said))
        return Answer(modal(filling.job.name, [section(said)]), closes=True)

    def _mark(self, asked: Asked, said: str) -> None:
        """Say in the place of the button, and by a reaction to what asked first, that it was asked for."""
        if asked.message:
            self._bot.react(asked.channel, asked.message, *UNDERSTOOD)
        replace_message(self._bot, asked.channel, str(asked.button), said, [section(said)])


def register(app: App, bot: Bot) -> None:
    """Have the bot answer what people do with forms."""
    forms = Forms(bot)

    @app.action(FILL_IN)
    def fill_in(ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        ack()
        try:
            forms.open(body)
        except Refused as refusal:
            whisper(respond, refusal)

    @app.action(INPUT)
    @app.action(SEARCH)
    def changed(ack: Ack, body: dict[str, Any]) -> None:
        ack()
        forms.follow(body)

    @app.options(SEARCH)
    def search(ack: Ack, body: dict[str, Any]) -> None:
        ack(options=forms.find(body))

    @app.view(RUN)
    def sent(ack: Ack, body: dict[str, Any]) -> None:
        forms.send(ack, body)


def _others(filling: Filling, view: Mapping[str, Any], typed: Mapping[str, Text]) -> dict[str, Any] | None:
    """Return the form with the inputs that are asked for by now, where they are not those that were seen."""
    if not any(block.get("dispatch_action") for block in view["blocks"]):
        return None
    shown = filling.view(filling.build(filling.values(typed)), LOOK_AGAIN)
    return shown if blocks_by_name(shown).keys() != blocks_by_name(view).keys() else None


def _refused(filling: Filling, view: Mapping[str, Any], typed: Mapping[str, Text], errors: Any) -> Answer:
    """Show each sentence at its input; all of them above the form, where one belongs to no input that is there."""
    anew = filling.view(filling.build({**filling.values(typed), **cleaned(typed)}, errors=errors))
    blocks = blocks_by_name(view)
    if not isinstance(errors, Mapping) or errors.keys() - blocks.keys():
        return Answer(anew)
    return Answer(anew, errors={blocks[name]: _joined(sentences) for name, sentences in errors.items()})


def _joined(sentences: Sequence[str]) -> str:
    return cut(" ".join(sentences), LONGEST_ERROR)


def _said(bot: Bot, filling: Filling, result: JobResult, slack_user: str, *, kept_waiting: bool) -> str:
    """Say what became of a form, in place of its button."""
    url, job = bot.settings.notices.url, filling.job
    link = f"<{url}/results/{result.id}|{mrkdwn(job.name)}>" if url else f"*{mrkdwn(job.name)}*"
    said = f"<@{slack_user}> asked for {link}."
    if result.status == Status.AWAITING_APPROVAL:
        return f"{said} It waits for somebody to approve it."
    if result.finished:
        return f"{said} {mrkdwn(result.cause or '')}".rstrip()
    prefix = "" if filling.asked.im else f"@{bot.name()} "
    return f"{said} {words.kept_waiting(words.type_of(job.class_path), prefix)}" if kept_waiting else said
