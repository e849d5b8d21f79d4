"""What people type in Slack for a job: `disk usage [path]`, where what stands in brackets is an input.

A job says it in Meta, `slack = "disk usage [path]"`, or with more: `slack = [{"command": "disk usage [path]", "help":
"Tells how full a disk is", "action": "schedule_job", "delay_seconds": 0}]`. The first word is the namespace, which `help`
lists. How its runs are told of in Slack is said in `slack_report`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import BadJob

SCHEDULE = "schedule_job"
CANCEL = "cancel_job"
SUPPRESS = "schedule_suppression"
UNSUPPRESS = "cancel_suppression"
ACTIONS = (SCHEDULE, CANCEL, SUPPRESS, UNSUPPRESS)

FORMATS = ("text", "blocks", "code", "file")

#: What `slack_report` may say, and what goes without saying.
REPORT: Mapping[str, Any] = {
    "report_stdout": False,
    "report_success": True,
    "report_format": "text",
    "suppress_empty": False,
    "call_support": True,
}

LONGEST_COMMAND, LONGEST_HELP, LONGEST_NAMESPACE, MOST_COMMANDS = 400, 1_000, 100, 50
LONGEST_DELAY_SECONDS = 10 * 365 * 24 * 3600.0

_PARTS = {"command", "help", "action", "delay_seconds"}


def build_regex_from_command(command: str) -> "re.Pattern[str]":
    """Return what a text has to match whole: each `[name]` stands for one or more characters, the last for all that is left.

    Other characters stand as they are in a regular expression. Raises re.error.
    """
    return re.compile("^" + re.sub(r"\[(\w+)\]", r"(.+?)", command) + "$")


def get_template_params(command: str, wrapper: str = "[]") -> list[str]:
    """Return the names between brackets, in their order; wrapper: the two characters that those are."""
    opening, closing = map(re.escape, wrapper)
    return re.findall(rf"{opening}(\w+){closing}", command)


def commands_of(class_name: str, variables: Sequence[Mapping[str, Any]], given: Any) -> list[dict[str, Any]]:
    """Return a job's commands, complete. given: what it says in Meta. Raises BadJob."""
    entries = [given] if isinstance(given, str | dict) else list(given)
    if len(entries) > MOST_COMMANDS:
        raise BadJob(f"{class_name} has more than {MOST_COMMANDS} commands of Slack.")
    names = [str(variable["name"]) for variable in variables]
    return [_command(entry, names) for entry in entries]


def _command(entry: Any, names: Sequence[str]) -> dict[str, Any]:
    said = {"command": entry} if isinstance(entry, str) else entry
    if not isinstance(said, dict) or not isinstance(said.get("command"), str):
        raise BadJob("slack takes a command as text, or as a dictionary with a command.")
    if unknown := sorted(map(str, said.keys() - _PARTS)):
        raise BadJob(f"slack knows no {unknown[0]}. There are: {', '.join(sorted(_PARTS))}.")
    command = " ".join(said["command"].split())
    action, text = said.get("action", SCHEDULE), said.get("help", "")
    if not 0 < len(command) <= LONGEST_COMMAND or not command.isprintable():
        raise BadJob(f"A command of Slack has 1 to {LONGEST_COMMAND} printable characters.")
    namespace, _, rest = command.partition(" ")
    if not rest or "[" in namespace or len(namespace) > LONGEST_NAMESPACE:
        raise BadJob(f"The command {command!r} needs a first word, by which help lists it, and more.")
    if action not in ACTIONS:
        raise BadJob(f"The action of the command {command!r} is one of: {', '.join(ACTIONS)}.")
    if not isinstance(text, str) or len(text) > LONGEST_HELP:
        raise BadJob(f"The help of the command {command!r} is a text of at most {LONGEST_HELP} characters.")
    try:
        build_regex_from_command(command)
    except re.error as error:
        raise BadJob(f"The command {command!r} is no regular expression: {error}.") from error
    if action == SCHEDULE:
        _check_inputs(command, names)
    return {
        "namespace": namespace,
        "command": command,
        "help": text,
        "action": action,
        "delay_seconds": _delay(command, said.get("delay_seconds")),
    }


def _check_inputs(command: str, names: Sequence[str]) -> None:
    given = get_template_params(command)
    for name in given:
        if name not in names:
            raise BadJob(f"The command {command!r} names [{name}], which is no variable of the job.")
        if given.count(name) > 1:
            raise BadJob(f"The command {command!r} names [{name}] twice.")


def _delay(command: str, given: Any) -> float | None:
    """Return its seconds; None: as the job says."""
    if given is None:
        return None
    if (
        isinstance(given, bool)
        or not isinstance(given, int | float)
        or not 0 <= given <= LONGEST_DELAY_SECONDS
    ):
        raise BadJob(f"delay_seconds of the command {command!r} is a number of seconds.")
    return float(given)


def checked_report(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how Slack is told of a job's runs, complete; empty where it says nothing. Raises BadJob."""
    if not given:
        return {}
    for name, value in given.items():
        if name not in REPORT:
            raise BadJob(f"slack_report knows no {name}. There are: {', '.join(REPORT)}.")
        if name == "report_format":
            if value not in FORMATS:
                raise BadJob(f"report_format is {value!r}; choose from: {', '.join(FORMATS)}.")
        elif not isinstance(value, bool):
            raise BadJob(f"{name} of slack_report is True or False.")
    return {**REPORT, **given}
