"""What jobs and users wrote becomes HTML in one place, and nothing active survives it."""

import inspect
import json
import os
import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_rendering import ATOMS, the_long_way
from store import html as html_module
from store.html import (
    ALLOWED_ATTRIBUTES,
    ALLOWED_SCHEMES,
    ALLOWED_TAGS,
    MOST_JSON_CHARACTERS,
    MOST_JSON_ITEMS,
    json_table,
    render,
    sanitize,
    sanitize_around_form,
    verbatim,
)
from store.markdown_cost import MOST_BRACKETS, MOST_CELLS, MOST_CHARACTERS, MOST_LINES, too_costly
from store.plain_line import paragraph
from store.recent_texts import RecentTexts
from store.settings import PROJECT_ROOT
from store.text import clean_text, entry_text, strip_ansi

#: Words, punctuation, marks and odd characters in any order: about half of the lines hold no markdown.
made_up_texts = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=10).map("".join)


class Inspector(HTMLParser):
    """Reads HTML as a browser would and objects to everything that is not allowed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED_TAGS:
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ALLOWED_ATTRIBUTES.get(tag, []):
                self.problems.append(f"{tag} {name}")
            # Browsers drop controls and blanks before they look for a scheme.
            address = re.sub(
                r"[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200d\u2028-\u202f\u205f\u3000\ufeff]",
                "",
                value or "",
            )
            scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.\-]*):", address)
            if name == "href" and scheme and scheme[1].lower() not in ALLOWED_SCHEMES:
                self.problems.append(f"{tag} {name}={value}")

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.problems.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("instruction")


def problems(html: str) -> list[str]:
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    return inspector.problems


def corpora() -> list[Any]:
    folder = Path(os.environ.get("ERRAND_XSS", PROJECT_ROOT.parent / "shared" / "xss"))
    vectors = []
    for path in sorted(folder.glob("*.json")):
        for vector in json.loads(path.read_text("utf-8"))["vectors"]:
            vectors.append(pytest.param(vector, id=vector["id"]))
    return vectors or [pytest.param(None, id="none", marks=pytest.mark.skip("NO XSS CORPORA to read"))]


@pytest.mark.parametrize("vector", corpora())
def test_no_known_attack_survives(vector: dict[str, Any]):
    for text in filter(None, (value for value in vector.values() if isinstance(value, str))):
        ways = [render(text), verbatim(text), sanitize(text), json_table({text: [text]})]
        for html in [*ways, sanitize_around_form(text, marks=False)]:
            assert problems(html) == []
            assert problems(sanitize(html)) == [], "nor when it is read and written again"


@pytest.mark.parametrize("vector", corpora())
def test_class_and_id_are_all_that_a_trusted_form_template_has_beyond_that(vector: dict[str, Any]):
    for text in filter(None, (value for value in vector.values() if isinstance(value, str))):
        found = problems(sanitize_around_form(text, marks=True))
        assert [problem for problem in found if not re.fullmatch(r"\w+ (class|id)", problem)] == []


@given(st.text(alphabet="<>\"'&/=:;()[]{}`*_#|!-\n\t\x00 abjscriptonlhref", max_size=80))
def test_no_made_up_attack_survives(text: str):
    assert problems(render(text)) == []
    assert problems(verbatim(text)) == []
    assert problems(json_table({text: text})) == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hello *x*", "<p>Hello <em>x</em></p>"),
        ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>"),
        ("[x](javascript:alert(1))", '<p><a rel="noopener nofollow">x</a></p>'),
        ("[x](https://a.example)", '<p><a href="https://a.example" rel="noopener nofollow">x</a></p>'),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("a\x00b\ud800c", "<p>a\ufffdb\ufffdc</p>"),
        ("```\n<i>\n```", "<pre><code>&lt;i&gt;\n</code></pre>"),
        ("", ""),
    ],
)
def test_markdown_is_rendered_and_raw_html_is_text(text: str, html: str):
    assert render(text) == html


@settings(deadline=None, max_examples=1_000)
@given(made_up_texts)
@example("2026-11-24 18:00:01 [eth0/1] sw-1.example: 10.0.0.1/24 up, 3 of 5 (60%) <done>")
@example("a&b;c & d &amp e <f <g@h i> 2 * 3 > 5 C:\\temp snake_case é_é")
def test_what_is_rendered_fast_is_what_the_long_way_makes_of_it(text: str):
    fast = paragraph(text)
    if fast is not None:
        assert fast == the_long_way(text)
        assert entry_text(text) == text, "nothing unclean is rendered fast"


@pytest.mark.parametrize(
    "line",
    [
        "The interface eth0 on sw-1.example came up after 3 seconds.",
        "2026-11-24 18:00:01 [eth0/1] sw-1.example: 10.0.0.1/24 up, 3 of 5 (60%) <done>",
        "größer als erwartet: 10.0.0.1 → übersprungen, snake_case & 2 * 3 > 5",
        "[eth0]: up",
        "C:\\temp has 5 files",
        "==== Summary ====",
    ],
)
def test_ordinary_lines_of_a_log_are_rendered_fast(line: str):
    assert paragraph(line) == the_long_way(line) == render(line)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            " a",
            "# a",
            "- a",
            "1. a",
            "> a",
            "---",
            "*a*",
            "_a_",
            "`a`",
            "[a](b)",
            "[a]: http://b",
            "\\*",
        ),
        *("<a@b>", "<http://a>", "&lt;", "a\nb", "a\x00", "a\ud800", "a\u202e", "\x1b[1ma"),
    ],
)
def test_lines_that_may_mean_something_take_the_long_way(line: str):
    assert paragraph(line) is None


@pytest.mark.parametrize(
    "line", ["[eth0]: up", "[error]: failed", "[1]: https://a.example", "[a]: 10.0.0.1\n[b]: up"]
)
def test_no_line_vanishes_because_it_looks_like_the_address_of_a_link(line: str):
    for word in line.split():
        assert word in render(line)


def test_links_may_be_defined_below():
    assert 'href="https://a.example"' in render("See [the list][1].\n\n[1]: https://a.example")


def test_a_rich_line_that_comes_again_is_not_rendered_again(monkeypatch: pytest.MonkeyPatch):
    first = render("**once** more")
    monkeypatch.setattr(html_module, "_render_markdown", None)
    assert render("**once** more") == first


def test_recent_texts_hold_no_more_than_their_bytes_and_forget_the_oldest():
    recent = RecentTexts(most_bytes=2_000, longest=100)
    for number in range(100):
        recent.keep(f"text {number}", "made " * 20)
        assert recent.get("text 0") is not None, "what is asked for stays"
    assert recent.get("text 99") == "made " * 20
    assert recent.get("text 50") is None
    recent.keep("long" * 100, "made")
    assert recent.get("long" * 100) is None
    recent.keep("short", "made " * 1_000)
    assert recent.get("short") is None


def test_recent_texts_make_nobody_wait():
    recent = RecentTexts(most_bytes=1_000, longest=100)
    with recent._lock:
        recent.keep("text", "made")
        assert recent.get("text") is None


#: The largest of a kind that is not refused, and what is just too much, by the number of repetitions.
COSTLY = {
    "characters": (lambda n: ("*a* " + "b" * 28) * n, MOST_CHARACTERS // 32),
    "lines": (lambda n: "a\n" * n, MOST_LINES),
    "brackets": (lambda n: "[" * n + "a" * 10_000 + "*", MOST_BRACKETS),
    "links without an end": (lambda n: "[a](\"'" * n + "a" * 10_000, MOST_BRACKETS),
    "rows of a wide table": (lambda n: "|a" * 100 + "\n" + "|-" * 100 + "\na" * n, MOST_CELLS // 101 - 2),
    "lists in lists": (lambda n: "+ " * n + "a", 19),
    "quotes in quotes": (lambda n: ">" * n + "a", 19),
    "emphasis": (lambda n: "*a " * n + " a*" * n, 1_000),
    "mail addresses": (lambda n: "<a@b> " * n, 300),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_what_costs_out_of_proportion_is_shown_as_it_was_written(kind: str):
    repeated, most = COSTLY[kind]
    assert not too_costly(repeated(most - 1))
    text = repeated(most + 1)
    assert too_costly(text)
    assert render(text) == verbatim(text)


@pytest.mark.parametrize("kind", COSTLY)
def test_what_is_rendered_takes_a_bounded_time(kind: str):
    repeated, most = COSTLY[kind]
    began = time.thread_time()
    the_long_way(repeated(most - 1))
    # On an idle machine 0.05 to 0.2 s; without the limits it was seconds or minutes.
    assert time.thread_time() - began < 2


def test_a_text_that_a_library_trips_over_is_shown_and_spoils_no_other():
    def deeply(calls: int, text: str) -> str:
        return deeply(calls - 1, text) if calls else render(text)

    room_below = sys.getrecursionlimit() - len(inspect.stack())
    texts = {room: f"{'+ ' * 18}**{room}**" for room in range(30, 400, 10)}
    shown = {room: deeply(room_below - room, text) for room, text in texts.items()}
    assert shown[40] == verbatim(texts[40]), "too deep"
    assert shown[390].startswith("<ul>"), "not too deep"
    assert render("plain *after* all") == "<p>plain <em>after</em> all</p>"


@settings(deadline=None)
@given(made_up_texts)
@example("\n\nafter empty lines")
@example(" \n ")
def test_verbatim_text_is_what_the_sanitizer_leaves_alone(text: str):
    assert sanitize(verbatim(text)) == verbatim(text)
    seen = Words()
    seen.feed(verbatim(text))
    seen.close()
    assert seen.text == entry_text(text).rstrip()


class Words(HTMLParser):
    text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one *line* <b>", "<p>one *line* &lt;b&gt;</p>"),
        ("one line\n", "<p>one line</p>"),
        ("two\nlines", "<pre>two\nlines</pre>"),
        ("  indented", "<pre>  indented</pre>"),
        ("a   table", "<pre>a   table</pre>"),
        ("a\ttab", "<pre>a\ttab</pre>"),
        ("\nafter", "<pre><span></span>\nafter</pre>"),
        ("\x1b[32mok\x1b[0m & done", "<p>ok &amp; done</p>"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_verbatim_keeps_what_a_terminal_would_show(text: str, html: str):
    assert verbatim(text) == html


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mtrue\x1b[m colour", "true colour"),
        ("\x1b[2K\x1b[1Gagain", "again"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\ text", "link text"),
        ("\x1bPq#0;2\x1b\\after", "after"),
        ("\x1b(Bplain\x1b7\x1b8\x1b=", "plain"),
        ("\x9b31mred", "red"),
        ("cut off \x1b[31", "cut off "),
        ("cut off \x1b", "cut off "),
        ("no end \x1b]0;of a title\nand a line", "no end 0;of a title\nand a line"),
        ("\x1b\x1b[31m", ""),
        ("nothing [31m here", "nothing [31m here"),
    ],
)
def test_what_only_a_terminal_understands_is_taken_away(text: str, stripped: str):
    assert strip_ansi(text) == stripped
    assert entry_text(text) == stripped


@given(st.text(alphabet="\x1b\x9b\x07\x9c[]()P\\;0123m \n", max_size=40))
def test_no_escape_is_left_however_sequences_are_cut(text: str):
    assert "\x1b" not in strip_ansi(text)
    assert strip_ansi(strip_ansi(text)) == strip_ansi(text)


def test_colours_do_not_keep_a_line_from_being_rendered():
    assert render("\x1b[31m**failed**\x1b[0m") == "<p><strong>failed</strong></p>"
    assert render("\x1b[31mfailed\x1b[0m") == "<p>failed</p>"


@given(st.text(st.characters(), max_size=30))
def test_clean_text_is_clean_and_stays_as_it_is(text: str):
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert len(cleaned.encode("utf-8")) >= len(cleaned), "it can be encoded"
    assert not any(ord(character) < 0x20 and character not in "\t\n" for character in cleaned)


def test_the_time_for_a_long_line_grows_with_its_length_alone():
    line = "\x1b[1mx<\x00\x1b]" * (4 * 2**20 // 9)
    began = time.thread_time()
    assert len(verbatim(line)) > len(line) / 2
    # Below a second on an idle machine.
    assert time.thread_time() - began < 10


def test_json_is_shown_as_tables_and_cut_where_it_never_ends():
    assert json_table({"a": [1, None]}) == (
        "<table><tbody><tr><th>a</th><td><ul><li>1</li><li>None</li></ul></td></tr></tbody></table>"
    )
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert "…" in json_table(deep)
    assert "1000 more" in json_table(list(range(MOST_JSON_ITEMS + 1000)))
    assert "… (7 more characters)" in json_table(["x" * (MOST_JSON_CHARACTERS + 7)])
    assert "&lt;object" in json_table({"x": object()})


@pytest.mark.parametrize(
    "value",
    [
        [[1] * 500] * 900,
        [[[1] * 30] * 30] * 300,
        {str(name): {str(inner): 1 for inner in range(300)} for name in range(300)},
        {"a": [{"x": number, "y": {"z": [1, 2, 3]}} for number in range(20_000)]},
        [{"k" * 1000: "v" * 1000}] * 400,
    ],
    ids=["rows", "cubes", "mappings", "records", "texts"],
)
def test_what_is_shown_of_json_is_bounded_as_a_whole(value: Any):
    # By what has to be sanitized: the time goes with that.
    html = json_table(value)
    assert html.count("<") < 20 * MOST_JSON_ITEMS
    assert len(html) < 2 * MOST_JSON_CHARACTERS + 40 * MOST_JSON_ITEMS
    assert "more" in html
