"""What is missing of a command, asked for in Slack: a message with a button, and what the button and its form remember.

A form can only be opened for somebody who has just clicked: hence the message. Everything remembered comes back from
Slack with the click, and is read as what a stranger says: who clicks needs the permission to run the job.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

from webapp.slack.blocks import plain, section
from webapp.slack.matching import Match
from webapp.slack.message import Message
from webapp.slack.words import code

FILL_IN = "errand.fill_in"

#: As much as the value of a button holds.
LONGEST_VALUE, LONGEST_BUTTON = 2_000, 75


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks a run of, and where the answer goes. Of the channel and the thread the button tells by itself."""

    job: str
    given: dict[str, Any] = field(default_factory=dict)
    #: The message that asked first.
    message: str | None = None
    im: bool = False
    delay: float | None = None
    channel: str = ""
    thread: str | None = None
    #: The message with the button.
    button: str | None = None
    #: Of the form: what inputs hold that nobody sees, and defaults that follow other inputs (see webapp.run_form).
    unseen: dict[str, Any] = field(default_factory=dict)
    followed: dict[str, str] = field(default_factory=dict)

    @property
    def job_id(self) -> UUID:
        return UUID(self.job)

    def written(self, most: int) -> str:
        """Write it down for Slack to keep, in so many characters; without what was given, where that is too much.

        "" where it is too much all the same.
        """
        for said in (self, replace(self, followed={}), replace(self, followed={}, given={})):
            facts = {name: value for name, value in asdict(said).items() if value not in (None, "", {})}
            if len(text := json.dumps(facts, ensure_ascii=False)) <= most:
                return text
        return ""


def read_asked(text: str) -> Asked:
    return Asked(**json.loads(text))


def needs_more(match: Match) -> str:
    """Say what is missing of a command that was begun."""
    missing = [name for name in match.command.parameters if name not in match.values]
    return f":pencil2: {code(match.command.command)} needs more: {', '.join(map(code, missing))}"


def with_button(text: str, message: Message, match: Match) -> list[dict[str, Any]]:
    """Return an answer to a command with the button that opens its form."""
    asked = Asked(
        job=str(match.command.job_id),
        given=dict(match.values),
        message=message.ts,
        im=message.direct,
        delay=match.command.delay_seconds,
    )
    button = {
        "type": "button",
        "text": plain("Fill in", LONGEST_BUTTON),
        "style": "primary",
        "action_id": FILL_IN,
        "value": asked.written(LONGEST_VALUE),
    }
    return [section(text), {"type": "actions", "elements": [button]}]
