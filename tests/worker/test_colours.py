"""What a run says in colours is on its page in colours, and everywhere else, and to those who look for secrets, plain."""

import re

import pytest

from tests.worker.conftest import Portal, Web, on_sqlite
from worker.capture import LONGEST_LINE_BYTES, MOST_COLOURED_CHARACTERS, MOST_MESSAGE_CHARACTERS, Lines, cut

pytestmark = pytest.mark.in_turn


RED, GREEN, OFF = "\x1b[31m", "\x1b[32m", "\x1b[0m"


def lines(*pieces: str) -> list[str]:
    """Return what becomes of a program's output that arrives in these pieces."""
    kept: list[str] = []
    taken = Lines(lambda text, more: kept.append(text + f" +{more}" * bool(more)))
    for piece in pieces:
        taken.feed(piece.encode("utf-8", "surrogatepass"))
    taken.end()
    return kept


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (["a\n", f"{RED}b\nc\n", f"d{OFF}e\nf\n"], ["a", f"{RED}b", f"{RED}c", f"{RED}d{OFF}e", "f"]),
        ([f"\x1b[1m{GREEN}a\nb"], [f"\x1b[1m{GREEN}a", "\x1b[1;32mb"]),
        ([f"{RED}\n\n{OFF}\na"], ["a"]),
        (["\x1b", "[3", "1ma\n", "b"], [f"{RED}a", f"{RED}b"]),
        ([f"{RED}", f"{OFF}\n", "\x1b[2K\n", "a"], ["a"]),
        # Of a progress bar the last picture stays, in the colours that the others have left.
        ([f"{RED}1 %\r2 %\r3 %\nend"], [f"{RED}3 %", f"{RED}end"]),
        ([f"{RED}1 %\r", f"{GREEN}2 %\r", "3 %\n"], [f"{GREEN}3 %"]),
        ([f"{RED}1 %{OFF}\r", "2 %\n"], ["2 %"]),
        ([f"{RED}done\r\n", "b\r\n"], [f"{RED}done", f"{RED}b"]),
        (["\x9b31ma\nb"], ["\x9b31ma", f"{RED}b"]),
    ],
)
def test_a_line_begins_in_the_colours_in_which_the_last_one_ended(pieces: list[str], kept: list[str]):
    assert lines(*pieces) == kept


def test_a_stream_that_begins_again_begins_plain():
    kept: list[str] = []
    taken = Lines(lambda text, more: kept.append(text))
    taken.feed(f"{RED}a".encode())
    taken.end()
    taken.feed(b"b\n")
    assert kept == [f"{RED}a", "b"]


def test_what_sets_colours_does_not_count_in_what_is_cut():
    text = f"{RED}x" * 10_000
    assert cut(text) == (text, 0)
    whole = RED + "x" * MOST_MESSAGE_CHARACTERS
    assert cut(whole) == (whole, 0)
    assert cut(f"{whole}yz") == ("x" * MOST_MESSAGE_CHARACTERS, 2)
    assert cut("x" * (MOST_MESSAGE_CHARACTERS + 2)) == ("x" * MOST_MESSAGE_CHARACTERS, 2)
    assert cut("y" + RED * MOST_COLOURED_CHARACTERS) == ("y", 0), "it has lost its colours, and nothing else"


def test_a_line_that_was_cut_leaves_no_colours_behind():
    first, second = lines(RED + "x" * LONGEST_LINE_BYTES + OFF + "\n", "plain")
    assert first.startswith("x" * MOST_MESSAGE_CHARACTERS)
    assert second == "plain"


def test_what_a_child_process_prints_is_on_the_page_in_its_colours(portal: Portal, web: Web):
    result = portal.run("Colours")
    said = {entry.message: entry.html for entry in portal.entries(result)}
    assert said == {
        "ok from a program <b>": '<p><span class="sgr-bold sgr-green">ok</span> from a program &lt;b&gt;</p>',
        "Error: it": '<p><span class="sgr-red">Error: it</span></p>',
        "lasts, and ends": '<p><span class="sgr-red">lasts</span>, and ends</p>',
        "a link and text": "<p>a link and text</p>",
        "20%": '<p><span class="sgr-blue">20%</span></p>',
        # Whoever leaves a colour on leaves it on for all that write to the same stream.
        "plain again": '<p><span class="sgr-blue">plain again</span></p>',
        "**coloured** *text*": '<p><span class="sgr-magenta">**coloured**</span> *text*</p>',
        "**bold**": "<p><strong>bold</strong></p>",
        "It broke:\n\n```\nError: x\n```": (
            '<pre>It broke:\n\n<span class="sgr-red">Error</span>: x\n</pre>'
        ),
        "a.library: cyan": '<p>a.library: <span class="sgr-cyan">cyan</span></p>',
        "in verse": '<p><span class="sgr-inverse">in verse</span></p>',
        "of another stream": "<p>of another stream</p>",
        "still": '<p><span class="sgr-inverse">still</span></p>',
    }
    # As it comes in, as it is after a reload, and as a search finds it.
    for path in (f"/results/{result.id}/log?after=0", f"/results/{result.id}"):
        page = web.page(path).text
        for html in said.values():
            assert html in page
    assert "<mark>Error</mark></span><mark>: x" in web.page(f"/results/{result.id}?q=Error: x").text
    for form in ("txt", "csv", "ndjson"):
        download = web.page(f"/results/{result.id}/log.{form}").text
        assert "lasts, and ends" in download
        assert "sgr-" not in download
        assert re.search(r"\x1b|u001b|\[31m", download) is None


def test_a_secret_that_colours_cut_in_two_is_masked(portal: Portal):
    secret = "correct horse"
    result = portal.run("TellsInColours", raw={"secret": secret})
    said = {entry.message: entry.html for entry in portal.entries(result)}
    assert said["logged (redacted) end"] == (
        '<p><span class="sgr-green">logged</span> (redacted) <span class="sgr-blue">end</span></p>'
    )
    assert "printed (redacted)." in said
    assert "said (redacted)" in said
    assert said["password: (redacted)"] == (
        '<p>pass<span class="sgr-bold">word</span>: <span class="sgr-yellow">(redacted)</span></p>'
    )
    assert result.progress["text"] == "at (redacted)"
    assert "no (redacted)" in result.cause
    everything = f"{said} {result.cause} {result.output} {result.progress} {result.return_value}"
    for half in ("correct", "horse", "hunter2", "\x1b", "\ufffd"):
        assert half not in everything


@on_sqlite
def test_a_secret_with_a_sequence_in_it_is_masked(portal: Portal):
    result = portal.run("TellsInColours", raw={"secret": "corr\x1b[32mect horse"})
    assert "correct horse" not in str([entry.message for entry in portal.entries(result)])
