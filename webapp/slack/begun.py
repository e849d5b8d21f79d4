"""A command that somebody has only begun to type: which one, and what of its inputs is there already. Pure."""

import re
from collections.abc import Iterator, Sequence

from jobs.slack_commands import SCHEDULE
from webapp.slack.matching import Command, Match, match

_INPUT = re.compile(r"\[\w+\]")


def find(text: str, commands: Sequence[Command]) -> Match | None:
    """Return the first of `commands`, which are in order, that a text begins; None: it begins none.

    All that stands before its first missing input has to be there: of `copy [file] to [host]` are begun "copy",
    "copy x" and "copy x to". What takes no inputs is not begun, nor what runs nothing.
    """
    for command in commands:
        for beginning in _beginnings(command.command) if command.action == SCHEDULE else ():
            if (given := match(text, beginning)) is not None:
                return Match(command, given)
    return None


def _beginnings(command: str) -> Iterator[str]:
    """Yield what there may be of a command, the longest first."""
    for found in reversed(list(_INPUT.finditer(command))):
        before = command[: found.start()].rstrip()
        # Then what stands between it and the input before is missing, too.
        for beginning in (before, before[: _end_of_last_input(before)]):
            if beginning:
                yield beginning


def _end_of_last_input(text: str) -> int:
    return max((found.end() for found in _INPUT.finditer(text)), default=0)
