"""What carries single steps to Slack, and knows where Slack wants no more for now."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from store.slack_settings import SlackSettings
from worker.slack.client import NotTaken, make_client, taken
from worker.slack.steps import CHANNEL, Act, Step

if TYPE_CHECKING:
    from slack_sdk import WebClient

#: What the bot is called until somebody has asked Slack for its name.
SOME_BOT = "errand"


class Line:
    def __init__(self, settings: SlackSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._made: WebClient | None = None
        self._bot = settings.bot_name
        #: {place: until when Slack wants no more there}
        self._rests: dict[str, datetime] = {}

    def rests_until(self, step: Step) -> datetime | None:
        """Return until when Slack wants no more where this step goes; None: it may be done."""
        until = self._rests.get(step.place)
        return until if until is not None and until > self._clock() else None

    def do(self, step: Step, said: dict[str, Any]) -> str | bool:
        """Do it; return the time stamp of a message, or True. Raises NotTaken.

        said: of its request (see SlackRequest); learns the id of its channel.
        """
        try:
            with taken():
                return self._done(step, said)
        except NotTaken as refusal:
            if refusal.rest_seconds:
                self._rests[step.place] = self._clock() + timedelta(seconds=refusal.rest_seconds)
            raise

    def bot_name(self) -> str:
        """Return what people call the bot."""
        if not self._bot:
            try:
                with taken():
                    self._bot = str(self._client.auth_test().get("user") or SOME_BOT)
            except NotTaken:
                return SOME_BOT
        return self._bot

    @property
    def _client(self) -> "WebClient":
        if self._made is None:
            self._made = make_client(self._settings)
        return self._made

    def _done(self, step: Step, said: dict[str, Any]) -> str | bool:
        match step.act:
            case Act.SAY:
                return self._posted(step, step.arguments, said)
            case Act.CALL:
                return self._posted(step, self._call(step, said), said)
            case Act.CHANGE:
                self._client.chat_update(channel=step.channel, ts=step.ts, **step.arguments)
            case Act.REACT:
                self._client.reactions_add(channel=step.channel, timestamp=step.ts, name=step.emoji)
            case Act.UPLOAD if step.snippet is not None:
                self._client.files_upload_v2(
                    # By its name no channel is found here; the message before has told its id.
                    channel=str(said.get(CHANNEL) or step.channel),
                    thread_ts=step.thread_ts,
                    filename=step.snippet.name,
                    title=step.snippet.title,
                    content=step.snippet.content,
                )
        return True

    def _posted(self, step: Step, arguments: Mapping[str, Any], said: dict[str, Any]) -> str:
        answer = self._client.chat_postMessage(channel=step.channel, thread_ts=step.thread_ts, **arguments)
        if step.answers:
            said[CHANNEL] = answer.get("channel")
        return str(answer.get("ts"))

    def _call(self, step: Step, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the support channel is shown: a link to the message that was said, or what that says."""
        if not said.get("reply"):
            return step.arguments
        try:
            with taken():
                link = self._client.chat_getPermalink(
                    channel=str(said.get(CHANNEL)), message_ts=str(said["reply"])
                )
        except NotTaken:
            return step.arguments
        return {"text": str(link.get("permalink"))}
