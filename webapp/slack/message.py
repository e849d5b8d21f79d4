"""What somebody has said to the bot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    team: str
    #: The id of whoever said it.
    user: str
    channel: str
    ts: str
    text: str
    #: The id by which the bot is mentioned.
    bot_user: str
    #: The message whose thread it is in; None: it is in none.
    thread_ts: str | None = None
    #: Said to the bot alone.
    direct: bool = False
    #: What a program is called that is no user of Slack; empty: a user said it.
    program: str = ""

    @property
    def key(self) -> str:
        """What makes it one message, however often Slack tells of it."""
        return f"slack {self.team} {self.channel} {self.ts}"
