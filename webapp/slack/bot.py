"""What whatever the bot does needs: settings, the database, who people are, a voice."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

from store.platform import Platform
from store.settings import Settings
from store.slack_settings import SlackSettings
from webapp.slack.members import Members
from webapp.slack.message import Message
from worker.slack.client import NotTaken, make_client, taken

#: Answers that are on their way at once: one that Slack makes wait holds up no command.
VOICES = 4

logger = logging.getLogger("errand.slack")


def patient_client(slack: SlackSettings) -> WebClient:
    """Return a client that tries again by itself, and waits where Slack asks for it: for threads that nobody waits for."""
    client = make_client(slack)
    client.retry_handlers.append(ConnectionErrorRetryHandler(max_retry_count=1))
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=max(1, slack.retries)))
    return client


@dataclass(frozen=True, slots=True)
class Bot:
    """One for a process: its listeners run in threads."""

    settings: Settings
    platform: Platform
    #: Asks once: whoever calls it, and a thread of the portal's pages, wait for the answer.
    client: WebClient
    #: Speaks.
    patient: WebClient
    members: Members = field(default_factory=Members)
    #: Empty: Slack has not been asked yet.
    _about: dict[str, Any] = field(default_factory=dict)
    _voice: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(VOICES, thread_name_prefix="slack-say")
    )

    def say(
        self,
        channel: str,
        text: str,
        *,
        thread_ts: str | None = None,
        blocks: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Post a message, soon. One that Slack does not take is in the log of this process only."""
        said = {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
        self._later("chat_postMessage", channel=channel, thread_ts=thread_ts, **said)

    def reply(
        self, message: Message, text: str, *, blocks: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Answer where something was said: in its thread, if it is in one."""
        self.say(message.channel, text, thread_ts=message.thread_ts, blocks=blocks)

    def reply_below(
        self, message: Message, text: str, *, blocks: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Answer in a thread, which begins with the message where it is in none; alone with the bot there is no need for one."""
        thread = message.thread_ts or (None if message.direct else message.ts)
        self.say(message.channel, text, thread_ts=thread, blocks=blocks)

    def prefix(self, message: Message) -> str:
        """Return what comes before a command where a message was said: `@errand `, or nothing."""
        return "" if message.direct else f"@{self.name()} "

    def name(self) -> str:
        """Return what people call the bot."""
        try:
            return self.settings.slack.bot_name or str(self.about()["user"])
        except NotTaken:
            return "errand"

    def about(self) -> Mapping[str, Any]:
        """Return who the bot is, as Slack says: {"team_id", "user", ...}. Raises NotTaken."""
        if not self._about:
            with taken():
                self._about.update(cast("dict[str, Any]", self.client.auth_test().data))
        return self._about

    def upload(self, channel: str, name: str, content: str, *, thread_ts: str | None = None) -> None:
        """Post a text as a file."""
        self._later(
            "files_upload_v2",
            channel=channel,
            filename=name,
            content=content,
            title=name,
            thread_ts=thread_ts,
        )

    def react(self, channel: str, ts: str, *names: str) -> None:
        """React to a message, now: with the first of these that this Slack has. It does not matter where it cannot."""
        for name in names:
            try:
                with taken():
                    self.client.reactions_add(channel=channel, timestamp=ts, name=name)
            except NotTaken as error:
                if str(error) == "invalid_name":
                    continue
                logger.info("No reaction: %s", error)
            return

    def close(self) -> None:
        """Wait until all is said."""
        self._voice.shutdown()

    def _later(self, method: str, **arguments: Any) -> None:
        given = {name: value for name, value in arguments.items() if value is not None}
        self._voice.submit(self._call, method, given)

    def _call(self, method: str, arguments: Mapping[str, Any]) -> None:
        try:
            with taken():
                getattr(self.patient, method)(**arguments)
        except NotTaken as error:
            logger.error("%s to %s was not said: %s", method, arguments["channel"], error)
