"""What Slack is told of a run that has ended: texts, blocks, code, files, and Slack's limits."""

import json
from dataclasses import replace
from typing import Any

import pytest

from webapp.slack.fill_in import FILL_IN
from worker.slack.approval_message import APPROVE, DENY, OPEN
from worker.slack.formats import (
    LONGEST_CODE,
    LONGEST_TEXT,
    OUR_ACTIONS,
    Output,
    Reply,
    Told,
    is_quiet,
    not_sent,
    reply,
)

URL = "https://portal.example/results/1"
TOLD = Told("test_hello", "completed", url=URL, key="1", bot="@bot ", support=True)


def told(status: str = "completed", **report: Any) -> Told:
    return replace(TOLD, status=status, report=report)


def texts(said: Reply) -> list[str]:
    return [message.text for message in said.messages]


def of(output: str | None, *, cut: bool = False, markup: bool = True, **report: Any) -> Reply:
    given = None if output is None else Output(output, markup, cut)
    return reply(told(report_stdout=True, **report), given)


def test_a_success_is_told_as_its_job_says():
    assert reply(told(report_success=True), None).reaction == "white_check_mark"
    assert texts(reply(told(report_success=True), Output("unused"))) == ["Command `test_hello` succeeded"]
    assert reply(told(report_success=False), None).messages == ()
    # What it has to show wins.
    assert texts(of("Hello\n", report_success=False)) == ["Hello"]
    for empty in (None, "", " \n\t\n"):
        assert texts(of(empty)) == ["No output found for command `test_hello`"]
        assert of(empty, suppress_empty=True) == Reply("white_check_mark")
    # A job that says nothing of Slack shows what it has to show.
    assert texts(reply(TOLD, None)) == ["Command `test_hello` succeeded"]
    assert texts(reply(TOLD, Output("3 < 4", markup=False))) == ["3 &lt; 4"]


def test_the_run_is_linked_beside_what_is_said():
    [message] = of("Hello").messages
    said = message.arguments()
    assert said["text"] == "Hello"
    assert "blocks" not in said
    assert f"<{URL}|See the run>" in json.dumps(said["attachments"])
    [alone] = reply(replace(TOLD, url=""), None).messages
    assert "attachments" not in alone.arguments()


def test_a_failure_says_why_and_where_and_calls_for_help():
    failed = replace(told("failed"), cause="It ended with <3>.", logs="/var/logs/test_hello/20260101-000000/")
    said = reply(failed, Output("ignored"))
    [text] = texts(said)
    assert (said.reaction, said.calls) == ("x", True)
    assert text.startswith("Command `test_hello` failed.\nIt ended with &lt;3&gt;.\n")
    for part in (URL, "`/var/logs/test_hello/20260101-000000/`", "`@bot showlogs tail error 1`"):
        assert part in text
    assert text.endswith("Calling tech-support.")
    for silent in (
        replace(failed, is_im=True),
        replace(failed, support=False),
        replace(failed, report={"call_support": False}),
    ):
        said = reply(silent, None)
        assert not said.calls
        assert "Calling" not in texts(said)[0]
    # It is told whatever the job says of its successes.
    assert texts(reply(told("errored", report_success=False, suppress_empty=True), None))


def test_what_never_ran_is_told_unless_somebody_took_it_back():
    canceled = replace(told("canceled"), cause="Nobody approved it in time.", began=False)
    assert texts(reply(canceled, None)) == ["Command `test_hello` does not run. Nobody approved it in time."]
    assert reply(replace(canceled, canceled_by="ann"), None) == Reply()
    stopped = replace(canceled, canceled_by="ann", began=True)
    assert texts(reply(stopped, None)) == ["Command `test_hello` was canceled by ann."]
    denied = reply(replace(told("denied"), cause="Denied by bob: not today"), None)
    assert denied.reaction == "x"
    assert "Denied by bob: not today" in texts(denied)[0]


def test_code_is_shown_to_the_letter_and_what_is_too_long_is_a_file():
    assert texts(of("<b> & `x`\n", report_format="code")) == ["```&lt;b&gt; &amp; `x````"]
    most = "x" * LONGEST_CODE
    assert texts(of(most, report_format="code")) == [f"```{most}```"]
    for beyond in (most + "x", "a\n```\nb", "<" * 1_000):
        said = of(beyond, report_format="code")
        assert said.snippet is not None
        assert said.snippet.content == beyond
        assert said.snippet.name == "test_hello.txt"
        assert texts(said) == ["Output of command `test_hello`"]
    assert of("short", report_format="code").snippet is None
    cut = of("short", report_format="code", cut=True)
    assert cut.snippet is not None
    assert "the beginning" in texts(cut)[0]


def test_text_keeps_its_markup_and_calls_nobody_together():
    assert texts(of("<https://x.example|a> *b* <@U1>")) == ["<https://x.example|a> *b* <@U1>"]
    called = texts(of("Hello <!channel> <!here|x> <!subteam^S1> <!date^1^{date}|now> <!everyone> <!group>"))
    assert called == [
        "Hello &lt;!channel> &lt;!here|x> &lt;!subteam^S1> <!date^1^{date}|now> &lt;!everyone> &lt;!group>"
    ]
    assert of("x" * LONGEST_TEXT).snippet is None
    assert of("x" * (LONGEST_TEXT + 1)).snippet is not None
    said = of("Hello", report_format="file")
    assert said.snippet is not None
    assert said.snippet.content == "Hello"


def block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_no_button_that_a_command_prints_is_one_of_the_portal_s():
    own = {"type": "button", "action_id": "page", "value": "1"}
    forged = {**own, "action_id": APPROVE}
    [message] = of(
        json.dumps([{"type": "actions", "elements": [own, forged]}]), report_format="blocks"
    ).messages
    assert message.blocks[0]["elements"] == [own, {"type": "button", "value": "1"}]
    assert all(action.startswith(OUR_ACTIONS) for action in (APPROVE, DENY, OPEN, FILL_IN))


def test_blocks_go_fifty_to_a_message_and_the_rest_into_a_file():
    blocks = [block("a <!here>"), {"type": "rich_text", "elements": [{"type": "broadcast", "range": "here"}]}]
    [message] = of(json.dumps(blocks), report_format="blocks").messages
    assert message.blocks == [
        block("a &lt;!here>"),
        {"type": "rich_text", "elements": [{"type": "text", "text": "@here"}]},
    ]
    assert message.text == "Output of command `test_hello`"
    for count, sizes, beyond in ((50, [50], 0), (51, [50, 1], 0), (203, [50] * 4 + [0], 3)):
        said = of(json.dumps([block("x")] * count), report_format="blocks")
        assert [len(message.blocks) for message in said.messages] == sizes
        assert (said.snippet is not None) == bool(beyond)
        # They stand below each other.
        assert not any(message.link for message in said.messages[: len(sizes) - (2 if beyond else 1)])
        assert said.messages[-1].link
    assert "3 more blocks" in texts(said)[-1]
    for empty in ("[]", " \n", "[ ]"):
        assert texts(of(empty, report_format="blocks")) == ["No output found for command `test_hello`"]
        assert of(empty, report_format="blocks", suppress_empty=True).messages == ()


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("Hello", "no JSON (line 1)"),
        ("[" * 100_000, "no JSON"),
        ('{"type": "section"}', "printed something else"),
        ('["section"]', "printed something else"),
        ("[{}]", "printed something else"),
    ],
)
def test_what_is_no_list_of_blocks_is_said_and_shown(printed: str, why: str):
    said = of(printed, report_format="blocks")
    assert why in texts(said)[0]
    assert said.snippet is not None
    assert said.snippet.content == printed


def test_blocks_that_slack_refuses_come_as_a_file():
    printed = json.dumps([block("x")])
    said = reply(told(report_stdout=True, report_format="blocks"), Output(printed), without_blocks=True)
    assert "Slack did not take the blocks" in texts(said)[0]
    assert said.messages[0].blocks == []
    assert said.snippet is not None


def test_names_and_errors_of_others_are_no_markup():
    named = replace(TOLD, command="a`b <!channel>")
    assert texts(reply(named, None)) == ["Command `a'b &lt;!channel&gt;` succeeded"]
    assert not_sent("bad <thing>", "Hello").text == "Could not notify slack: bad &lt;thing&gt;\nHello"
    assert len(not_sent("x", "y" * 100_000).text) <= LONGEST_TEXT


def test_jobs_that_may_end_without_a_word_are_quiet():
    assert is_quiet({"report_success": False})
    assert is_quiet({"report_stdout": True, "suppress_empty": True})
    assert not is_quiet({"report_stdout": True, "report_success": False})
    assert not is_quiet({})
