"""What jobs and users wrote becomes HTML in one place, and nothing active survives it."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.html import ALLOWED_ATTRIBUTES, ALLOWED_SCHEMES, ALLOWED_TAGS, json_table, render, sanitize
from store.settings import PROJECT_ROOT


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
        for html in (render(text), sanitize(text), json_table({text: [text]})):
            assert problems(html) == []
            assert problems(sanitize(html)) == [], "nor when it is read and written again"


@given(st.text(alphabet="<>\"'&/=:;()[]{}`*_#|!-\n\t\x00 abjscriptonlhref", max_size=80))
def test_no_made_up_attack_survives(text: str):
    assert problems(render(text)) == []
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


@pytest.mark.parametrize("text", ["[" * 8000, "![a](" * 3000, "x" * 100_000, "`" * 5000])
def test_what_markdown_chokes_on_is_shown_plainly(text: str):
    assert render(text).startswith("<pre>")


def test_json_is_shown_as_tables_and_cut_where_it_never_ends():
    assert json_table({"a": [1, None]}) == (
        "<table><tbody><tr><th>a</th><td><ul><li>1</li><li>None</li></ul></td></tr></tbody></table>"
    )
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert "…" in json_table(deep)
    assert "1000 more" in json_table(list(range(2000)))
    assert "&lt;object" in json_table({"x": object()})
