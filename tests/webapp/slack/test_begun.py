"""Commands of Slack that are only begun."""

import pytest

from webapp.slack import begun
from webapp.slack.matching import Command

COMMANDS = [
    Command(command.partition(" ")[0], command, "", action, None, None)
    for command, action in [
        ("disk usage", "schedule_job"),
        ("copy [file] to [host]", "schedule_job"),
        ("copy again [file]", "schedule_job"),
        ("say [text]", "schedule_job"),
        ("now|later [x]", "schedule_job"),
        ("odd ([x])? [y]", "schedule_job"),
        ("suppress from [start_at] to [end_at]", "schedule_suppression"),
    ]
]


@pytest.mark.parametrize(
    ("text", "command", "given"),
    [
        ("copy", "copy [file] to [host]", {}),
        ("copy a b", "copy [file] to [host]", {"file": "a b"}),
        ("copy a to", "copy [file] to [host]", {"file": "a"}),
        ("copy again", "copy [file] to [host]", {"file": "again"}),
        ("say", "say [text]", {}),
    ],
)
def test_what_is_missing_is_asked_for(text: str, command: str, given: dict[str, str]):
    found = begun.find(text, COMMANDS)
    assert found is not None
    assert (found.command.command, found.values) == (command, given)


@pytest.mark.parametrize(
    "text",
    ["", "disk", "disk usage", "cop", "say hello", "odd", "Copy", "please copy", "suppress from 10:00"],
)
def test_what_begins_none_is_no_command(text: str):
    assert begun.find(text, COMMANDS) is None
