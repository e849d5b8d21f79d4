"""What is said to the bot, and which command that is."""

import time

import pytest

from webapp.slack.matching import Command, Said, find, in_order, match, said, understand


def commands(*texts: str) -> list[Command]:
    return in_order(Command(text.split()[0], text, "", "schedule_job", None, None) for text in texts)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("<@UBOT> test say hello", "test say hello"),
        ("<@UBOT|errand> test say hello", "test say hello"),
        ("Reminder: please <@U1>, <@UBOT>   test\tsay \n hello . ..", "test say hello"),
        ("<@UBOT>test say hello", "test say hello"),
        ("<@UBOT>", ""),
        # Later mentions belong to what was said.
        ("<@UBOT> tell <@UBOT> twice", "tell <@UBOT> twice"),
        # Only the first line is looked at for the mention.
        ("Good morning\n<@UBOT> test say hello", None),
        ("<@UBOTTY> test say hello", None),
        ("&lt;@UBOT&gt; test say hello", None),
        ("@UBOT test say hello", None),
        # What Slack makes of what somebody types.
        (
            "<@UBOT> get <http://x.example/a?b=1&amp;c=2> <https://y.example|y.example> <mailto:a@b.example|a@b.example>",
            "get http://x.example/a?b=1&c=2 https://y.example a@b.example",
        ),
        ("<@UBOT> echo a &amp;&amp; b &lt; c &amp;amp;", "echo a && b < c &amp;"),
    ],
)
def test_what_follows_the_mention_in_the_first_line_was_said_to_the_bot(text: str, understood: str | None):
    assert said(text, "UBOT", direct=False) == understood


def test_alone_with_the_bot_all_was_said_to_it():
    assert said(" test  say hello. ", "UBOT", direct=True) == "test say hello"
    assert said("hey <@UBOT> test say hello", "UBOT", direct=True) == "test say hello"


@pytest.mark.parametrize(
    ("command", "text", "values"),
    [
        ("test say hello", "test say hello", {}),
        ("test say hello", "Test say hello", None),
        ("test say hello", "test say hello you", None),
        ("test say hello", "please test say hello", None),
        (
            "say [what] to [whom]",
            "say good morning to all of you",
            {"what": "good morning", "whom": "all of you"},
        ),
        # The first takes as little as it can, the last all that is left.
        ("say [what] [whom]", "say a b c", {"what": "a", "whom": "b c"}),
        ("say [what]", "say", None),
        ("say [what]", "say ; rm -rf / $(id) {x}", {"what": "; rm -rf / $(id) {x}"}),
        # All else is a regular expression, whose own brackets are no parameters.
        ("run (now|later) [what]", "run later it", {"what": "it"}),
        ("run v1.0", "run v1x0", {}),
        ("runs? it", "run it", {}),
        ("run|walk", "walk", {}),
        # What follows the alphabet is not what follows in the command.
        ("from [z_first] to [a_second]", "from 1 to 2", {"z_first": "1", "a_second": "2"}),
    ],
)
def test_a_command_is_matched_whole(command: str, text: str, values: dict[str, str] | None):
    found = match(text, command)
    assert found == values
    assert values is None or list(found or ()) == list(values)


def test_the_first_command_in_their_order_wins():
    found = find("show a b", commands("show [one] [two]", "show [all]"))
    assert found is not None
    assert found.command.command == "show [all]"


def test_a_command_that_takes_long_to_match_is_none():
    begun = time.monotonic()
    found = find("x " + "a" * 5_000, commands("x (a|a)+[^a]", "x [all]"))
    assert found is not None
    assert found.command.command == "x [all]"
    # What begins otherwise is not even tried.
    many = commands(*(f"say{number} [one] [two] [three] it" for number in range(100)))
    assert find("say x " * 30_000, many) is None
    assert time.monotonic() - begun < 10
    assert match("say " + "x" * 100_000, "say [all]") == {"all": "x" * 100_000}
    assert match("x" * 200_001, "[all]") is None


@pytest.mark.parametrize("begun", ["<http://", "<mailto:x|", "<@UBOT|"])
def test_what_is_begun_and_not_ended_takes_no_time(begun: str):
    began_at = time.monotonic()
    assert said(begun * 8_000, "UBOT", direct=True) == begun * 8_000
    assert time.monotonic() - began_at < 1


def test_commands_come_before_help_and_after_what_is_always_there():
    known = commands("status now", "help me", "test help", "remove job id [x]")
    spaces = ["help", "remove", "test"]
    other = lambda text: Said("other") if text.startswith("test") else None  # noqa: E731

    def kind(text: str) -> tuple[str, str, bool]:
        asked = understand(text, known, spaces, [other])
        return asked.kind, asked.name, asked.asked

    assert kind("status") == ("status", "", True)
    assert kind("status now")[0] == "command"
    assert kind("remove job id 7")[:2] == ("remove", "7")
    assert kind("remove job id")[:2] == ("remove", "")
    assert kind("help me")[0] == "command"
    assert kind("test help")[0] == "command"
    assert kind("help test")[:2] == ("help of", "test")
    assert kind("remove help")[:2] == ("help of", "remove")
    assert kind("test it")[0] == "other"
    assert kind("help") == ("help", "", True)
    assert kind("help nobody") == ("help", "", False)
    assert kind("") == ("help", "", False)
