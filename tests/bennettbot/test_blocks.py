"""Blocks of Slack on a page."""

import json
from pathlib import Path

import pytest

from jobs.shell.blocks import markdown_of
from jobs.shell.reporting import pieces_of


def mrkdwn(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_they_are_read_as_markdown():
    told = [
        ({"type": "header", "text": {"type": "plain_text", "text": "*Up* 1. now"}}, r"### \*Up\* 1\. now"),
        ({"type": "divider"}, "---"),
        (mrkdwn("*bold* _soft_ ~gone~ 2*3*4"), "**bold** _soft_ ~~gone~~ 2*3*4"),
        (mrkdwn("<https://x.example/a|a [b]> <https://y.example>"), None),
        (mrkdwn("`a *b* &lt;c&gt;` &lt;d&gt;"), "`a *b* <c>` &lt;d&gt;"),
        (mrkdwn("```a\n*b*```"), "\n```\na\n*b*\n```\n"),
        (mrkdwn("one\n# two <@U1> <#C1|room> <!here>"), "one  \n\\# two @U1 room here"),
        (
            {
                "type": "section",
                "fields": [{"type": "plain_text", "text": "a_b"}, {"type": "mrkdwn", "text": "*c*"}],
            },
            "a\\_b\n\n**c**",
        ),
        (
            {
                "type": "context",
                "elements": [
                    {"type": "mrkdwn", "text": "by"},
                    {"type": "image", "alt_text": "cat", "image_url": "https://x.example/c.png"},
                ],
            },
            "by [cat](<https://x.example/c.png>)",
        ),
        ({"type": "image", "alt_text": "cat", "image_url": "javascript:x"}, "cat"),
        (
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "text", "text": "so "}, {"type": "text", "text": "rich*"}],
                    }
                ],
            },
            "so rich\\*",
        ),
        ({"type": "section", "text": None}, ""),
    ]
    for block, text in told:
        if text is not None:
            assert markdown_of([block]) == text
    assert markdown_of([told[3][0]]) == (
        r"[a \[b\]](<https://x.example/a>) [https://y\.example](<https://y.example>)"
    )
    for given in ({}, ["x"], None, 3):
        with pytest.raises(ValueError, match="no list of blocks"):
            markdown_of(given)


def test_what_a_command_says_in_them_is_its_report(tmp_path: Path):
    output = tmp_path / "stdout"
    output.write_text(json.dumps([mrkdwn("*x* <script>alert(1)</script> <https://x.example|y>")]))
    (piece,) = pieces_of(output, "blocks")
    assert piece.facts()["content"].startswith("**x** ")
    output.write_text("no JSON")
    with pytest.raises(ValueError, match="no JSON"):
        list(pieces_of(output, "blocks"))
