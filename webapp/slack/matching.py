"""What people have typed, and which command that is. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex as timed_regex

from store.slack_people import CODE_LENGTH

#: For one command: what its author wrote is a regular expression.
REGEX_SECONDS = 0.2

#: More than Slack takes in one message.
LONGEST_TEXT = 200_000

_PARAMETER = re.compile(r"\[(\w+)\]")
#: How a command begins, as far as it means just these characters.
_LITERAL = re.compile(r"[\w -]*(?![*?{+])")
# Up to the next "<" at most, which is never part of one: many that are begun and not ended would take long.
_LINK = re.compile(r"<(https?://[^|<>]+)(?:\|[^<>]*)?>")
_ADDRESS = re.compile(r"<(?:mailto|tel):[^|<>]+\|([^<>]*)>")
_REMOVE = re.compile(r"remove job id\b\s*(.*)")


@dataclass(frozen=True, slots=True)
class Command:
    namespace: str
    command: str
    help: str
    action: str
    #: None: as the job says.
    delay_seconds: float | None
    #: The id of the job's row.
    job_id: Any
    restricted: bool = False

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.command)


@dataclass(frozen=True, slots=True)
class Match:
    command: Command
    #: {parameter: what was typed for it}, in the command's order.
    values: Mapping[str, str]


# --- What was said to the bot ---------------------------------------------------------------------------------


def said(text: str, bot_user: str, *, direct: bool) -> str | None:
    """Return what somebody has said to the bot, tidied and as they typed it; None where it was not spoken to.

    In a channel that is what follows its first mention, which stands in the first line; whatever is before it does not
    matter. In a direct message it need not be mentioned.
    """
    mention = re.match(rf".*?<@{re.escape(bot_user)}(?:\|[^<>\n]*)?>", text)
    if mention is None and not direct:
        return None
    return tidy(plain(text[mention.end() :] if mention else text))


def plain(text: str) -> str:
    """Undo what Slack makes of what somebody types: an address becomes a link, `&` an `&amp;`."""
    text = _ADDRESS.sub(r"\1", _LINK.sub(r"\1", text))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def tidy(text: str) -> str:
    return " ".join(text.split()).rstrip(". ")


def has_keyword(text: str, keyword: str) -> bool:
    """Tell whether a message is for people who help, and so for no bot. keyword: a regular expression."""
    try:
        return timed_regex.search(keyword, text, timed_regex.IGNORECASE, timeout=REGEX_SECONDS) is not None
    except TimeoutError:
        return False


def code_in(text: str) -> str:
    """Return the code of `link CODE`; "" where a text is no such thing."""
    found = re.fullmatch(rf"link ([A-Za-z0-9]{{{CODE_LENGTH}}})", text)
    return found[1] if found else ""


# --- Commands -------------------------------------------------------------------------------------------------


def in_order(commands: Iterable[Command]) -> list[Command]:
    """Return commands as they are tried and listed."""
    return sorted(commands, key=lambda each: each.command)


def find(text: str, commands: Sequence[Command]) -> Match | None:
    """Return the first of `commands`, which are in order, that a text is."""
    for command in commands:
        if (values := match(text, command.command)) is not None:
            return Match(command, values)
    return None


def match(text: str, command: str) -> dict[str, str] | None:
    """Return {parameter: value} where a text is this command, whole."""
    # Told first: of a long text, and of most commands, it takes much longer to see that it is none of them.
    if len(text) > LONGEST_TEXT or not text.startswith(_beginning(command)):
        return None
    try:
        found = timed_regex.match(_pattern(command), text, timeout=REGEX_SECONDS)
    except (TimeoutError, timed_regex.error):
        return None
    return {name: found[name] for name in _PARAMETER.findall(command)} if found else None


def _beginning(command: str) -> str:
    found = _LITERAL.match(command)
    return found[0] if found and "|" not in command else ""


def _pattern(command: str) -> str:
    # By name: an author's own brackets, as in `(now|later)`, are no parameters.
    return "^" + _PARAMETER.sub(r"(?P<\1>.+?)", command) + "$"


# --- What else can be said ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """One of: "status", "remove", "command", "help of", "help" or what `others` understand; and what goes with it."""

    kind: str
    match: Match | None = None
    #: The id of a run, or a namespace.
    name: str = ""
    #: For "help": it was asked for.
    asked: bool = True


#: Tells what a text is that no command is; None: nothing either.
Other = Callable[[str], Said | None]


def understand(
    text: str, commands: Sequence[Command], namespaces: Iterable[str], others: Sequence[Other] = ()
) -> Said:
    """Tell what a text asks for. others: what is tried after the commands."""
    if text == "status":
        return Said("status")
    if text.startswith("remove job id"):
        rest = _REMOVE.match(text)
        return Said("remove", name=rest[1] if rest else "")
    if (found := find(text, commands)) is not None:
        return Said("command", found)
    for name in namespaces:
        if text in (f"{name} help", f"help {name}"):
            return Said("help of", name=name)
    for other in others:
        if (understood := other(text)) is not None:
            return understood
    return Said("help", asked=text == "help")
