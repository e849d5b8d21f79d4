"""What a search has found is marked in the text of entries, and nowhere else."""

import re
import time

import pytest

from store import html


@pytest.mark.parametrize(
    ("written", "find", "shown"),
    [
        (
            "Port Te1 is up, port Te2 down",
            "port",
            "<p><mark>Port</mark> Te1 is up, <mark>port</mark> Te2 down</p>",
        ),
        ("Straße GRÜN", "grün", "<p>Straße <mark>GRÜN</mark></p>"),
        ("a < b && c > d", "<", "<p>a <mark>&lt;</mark> b &amp;&amp; c &gt; d</p>"),
        ("a < b && c > d", "&& C >", "<p>a &lt; b <mark>&amp;&amp; c &gt;</mark> d</p>"),
        ("a < b & c", "lt", "<p>a &lt; b &amp; c</p>"),
        ("a & b", "amp", "<p>a &amp; b</p>"),
        ('say "it\'s"', '"IT\'S"', '<p>say <mark>"it\'s"</mark></p>'),
        ("no *p* or strong", "p", "<p>no <em><mark>p</mark></em> or strong</p>"),
        ("1.5 (x)", ".5 (X)", "<p>1<mark>.5 (x)</mark></p>"),
        ("nothing", "", "<p>nothing</p>"),
        ("nothing", "<script>", "<p>nothing</p>"),
    ],
)
def test_hits_are_marked_in_text_alone(written: str, find: str, shown: str):
    assert html.marked(html.render(written), find) == shown


@pytest.mark.parametrize(
    "find", ["a", "rel", "noopener", "title", "href", "http", "example", "b", ">", '"', "c", "="]
)
def test_no_search_reaches_into_a_tag(find: str):
    # bleach writes `>` as a reference in attributes too; what may take its place need not.
    sanitized = (
        '<p>see <a href="http://example.test/?a=b" title="a > b rel c" rel="noopener nofollow">the a</a>'
        ' and &lt;b title="x &gt; a"&gt;a&lt;/b&gt;, <td align=\'"\'>http</td></p>'
    )
    marked = html.marked(sanitized, find)
    assert marked.replace("<mark>", "").replace("</mark>", "") == sanitized
    inside = re.findall(r"""<(?!/?mark>)(?:[^<>"']|"[^"]*"|'[^']*')*>""", marked)
    assert inside == re.findall(r"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""", sanitized)


@pytest.mark.parametrize(
    "find", ["<img src=x onerror=alert(1)>", "</p><script>", "&lt;", "\\", "(", "[a-", "\x00"]
)
def test_what_is_searched_for_is_never_markup(find: str):
    for written in (find, f"before {find} after", "none of it"):
        sanitized = html.render(written)
        marked = html.marked(sanitized, find)
        assert marked.replace("<mark>", "").replace("</mark>", "") == sanitized
        assert html.sanitize(marked.replace("<mark>", "<b>").replace("</mark>", "</b>")) == marked.replace(
            "<mark>", "<b>"
        ).replace("</mark>", "</b>")


def test_marking_is_cheap():
    lines = [html.render(f"Device **sw-{number}** answered & is `up` " + "x " * 100) for number in range(500)]
    hostile = ['<a title="' * 20_000, "<" * 100_000, "&" * 100_000, "&a" * 100_000]
    started = time.perf_counter()
    for line in [*lines, *hostile]:
        html.marked(line, "x ")
    assert time.perf_counter() - started < 1.0
