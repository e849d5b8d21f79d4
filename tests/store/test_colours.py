"""What programs write in colours is shown in colours: their text whole, and by classes of ours alone."""

import random
import re
import time
from html.parser import HTMLParser

import pytest

from store.colours import CLASSES, MOST_SPANS, PLAIN, moved, read, sequence, style_after
from store.html import entry_html, marked, render, sanitize, text_length
from store.settings import PROJECT_ROOT
from store.text import entry_text


class Reader(HTMLParser):
    """Reads HTML as a browser would: its text, and what else is there than blocks and spans of our classes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.odd: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        self.odd += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "span" and len(attrs) == 1 and attrs[0][0] == "class":
            names = (attrs[0][1] or "").split()
            self.odd += [name for name in names if name not in CLASSES] + ([] if names else ["no class"])
        elif tag not in ("p", "pre", "span") or attrs:
            self.odd.append(f"<{tag} {attrs}>")

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.odd.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.text += data

    def unexpected(self, data: str) -> None:
        self.odd.append(data)

    handle_comment = handle_decl = handle_pi = unknown_decl = unexpected


def shown(text: str, *, markdown: bool = False) -> str:
    return entry_html(*read(text), markdown=markdown)


def names(parameters: str) -> str:
    """Return what the classes of a text are after one sequence, without their prefix."""
    found = re.findall('class="([^"]*)"', shown(f"\x1b[{parameters}mx"))
    return " ".join(found).replace("sgr-", "")


@pytest.mark.parametrize(
    ("parameters", "looks"),
    [
        ("31", "red"),
        ("0;37", "white"),
        ("90", "bright-black"),
        ("97", "bright-white"),
        ("44", "on-blue"),
        ("103", "on-bright-yellow"),
        ("1;4;31;42", "bold under red on-green"),
        ("2", "faint"),
        ("3;9", "italic strike"),
        ("21", "under"),
        ("4:3", "under"),
        ("4;4:0", ""),
        ("01;031", "bold red"),
        # On, and off again; the last of a kind counts.
        ("31;32", "green"),
        ("31;", ""),
        (";31", "red"),
        ("31;39", ""),
        ("41;49", ""),
        ("1;2;22;3", "italic"),
        ("3;4;7;9;23;24;27;29", ""),
        # Sides changed: what nobody has chosen is a colour then, too.
        ("7", "inverse"),
        ("7;31", "on-red"),
        ("7;41", "red on-white"),
        ("7;31;44", "blue on-red"),
        ("7;1", "bold inverse"),
        ("7;27;31", "red"),
        # A log hides nothing, and does not blink.
        ("8", ""),
        ("5;6;25;28;53", ""),
        # 256 colours: 16 of their own, a cube, greys.
        ("38;5;1", "red"),
        ("38;5;12", "bright-blue"),
        ("48;5;196", "on-bright-red"),
        ("38;5;22", "green"),
        ("38;5;208", "bright-yellow"),
        ("38;5;203", "bright-red"),
        ("38;5;16", "black"),
        ("38;5;240", "bright-black"),
        ("38;5;250", "white"),
        ("38;5;255", "bright-white"),
        ("38:5:51", "bright-cyan"),
        # 24 bits, in all their spellings.
        ("38;2;255;0;0", "bright-red"),
        ("38;2;128;0;0", "red"),
        ("38;2;255;200;200", "bright-red"),
        ("38:2:0:0:139", "blue"),
        ("38:2::255:0:255", "bright-magenta"),
        ("38:2:1:255:0:255:0:0", "bright-magenta"),
        ("48;2;0;128;128;1", "bold on-cyan"),
        ("38;2;;;", "black"),
        ("58;5;1;4", "under"),
        ("58;2;1;2;3;1", "bold"),
        # What is no colour is none, and takes nothing with it.
        ("38;5;256;1", "bold"),
        ("38;2;999;0;0;1", "bold"),
        ("38;5", ""),
        ("38", ""),
        ("38;1;31", "red"),
        ("38:9:1", ""),
        ("1;99999999999999999999;31", "bold red"),
        ("1;64", "bold"),
        # Another sequence that ends with the same letter.
        (">4;2", ""),
        ("?1", ""),
        ("1 ", ""),
        ("1;" * 60, ""),
    ],
)
def test_what_a_sequence_looks_like(parameters: str, looks: str):
    assert names(parameters) == looks


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("\x1b[31mred\x1b[0m & plain", '<p><span class="sgr-red">red</span> &amp; plain</p>'),
        ("\x1b[31mred\x1b[0m\x1b[31m still", '<p><span class="sgr-red">red still</span></p>'),
        ("\x9b32mby one byte", '<p><span class="sgr-green">by one byte</span></p>'),
        ("\x1b[1m<b>", '<p><span class="sgr-bold">&lt;b&gt;</span></p>'),
        ("\x1b[31mone\ntwo", '<pre><span class="sgr-red">one\ntwo</span></pre>'),
        ("\n\x1b[31mone", '<pre><span></span>\n<span class="sgr-red">one</span></pre>'),
        ("\x1b[31m\none", '<pre><span class="sgr-red">\none</span></pre>'),
        ("\x1b[31m**no** *markdown*", '<p><span class="sgr-red">**no** *markdown*</span></p>'),
        ("\x1b[31mred \x1b[0m  ", '<p><span class="sgr-red">red</span></p>'),
        ("\x1b[2K\x1b[31ma\x1b[1Gb\x1b]0;title\x07c", '<p><span class="sgr-red">abc</span></p>'),
        (
            "\x1b]8;;https://a.example\x1b\\\x1b[4mlink\x1b]8;;\x1b\\",
            '<p><span class="sgr-under">link</span></p>',
        ),
        ("a\x1b[31m\r\x1b[0m\nb", '<pre>a<span class="sgr-red">\n</span>b</pre>'),
        ("\x1b[31m\x1b[0m", ""),
        ("no end \x1b[31", "<p>no end</p>"),
    ],
)
def test_colours_become_spans(text: str, html: str):
    assert shown(text) == html


def test_text_without_colours_is_markdown_whatever_else_is_for_a_terminal():
    for text in ("\x1b[0m**b**", "\x1b[2K**b**\x1b[m", "\x1b]0;title\x07**b**", "\x1b[8m**b**"):
        assert shown(text, markdown=True) == "<p><strong>b</strong></p>"
    assert shown("**b**", markdown=True) == render("**b**")


def test_of_markdown_with_colours_only_the_fences_are_left_out():
    said = "**It** broke:\n\n```\n\x1b[31mError\x1b[0m: x ``` y\n```\nMore:\n```text\n\x1b[32m  z\n```"
    assert shown(said, markdown=True) == (
        '<pre>**It** broke:\n\n<span class="sgr-red">Error</span>: x ``` y\nMore:\n'
        '<span class="sgr-green">  z\n</span></pre>'
    )
    assert "```" in shown(said), "what a program prints is shown as it is"


ATOMS = [
    *(
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[1;38;5;208m",
        "\x1b[48;2;1;2;3m",
        "\x9b7m",
        "\x1b[8m",
        "\x1b[",
        "\x1b",
        "\x9b",
    ),
    *(
        "\x1b]8;;http://x\x1b\\",
        "\x1b]0;t",
        "\x07",
        "\x1bP",
        "\x9c",
        "\x1b[2K",
        "\x1b[>4;2m",
        "\x1b(B",
        "38;5",
        "m",
    ),
    *(
        "<script>",
        "</span>",
        '"',
        "'",
        "&amp;",
        "<!--",
        '<span class="x" onclick=y>',
        "style=",
        "\x00",
        "\u202e",
    ),
    *("\ud83d", "\ude00", "\r", "\n", "\r\n", "\t", " ", "  ", "a", "ü", "```\n", "\x85", "\u2028"),
]


def test_whatever_is_written_its_text_is_whole_and_its_spans_are_ours():
    chance = random.Random(20)
    for _ in range(5_000):
        text = "".join(chance.choices(ATOMS, k=chance.randint(1, 25)))
        html = shown(text)
        seen = Reader(html)
        assert (seen.text, seen.odd) == (entry_text(text).rstrip(), []), repr(text)
        if read(text)[1]:
            assert Reader(shown(text, markdown=True)).odd == []
        assert Reader(marked(html, "a").replace("<mark>", "").replace("</mark>", "")).text == seen.text
        assert Reader(sanitize(html)).text == seen.text


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[" + "1;" * 100_000 + "m",
        "\x1b[38;5;" + "9" * 100_000 + "m",
        "\x1b[" + ":" * 100_000,
        "\x1b[" * 100_000,
        "\x1b" * 100_000,
        "\x1b]" * 100_000,
        "\x1bP" * 100_000,
        "\x1b[31m" * 100_000,
        "\x1b[31mx\x1b[m```\n" * 20_000,
        "\x1b[38;2;" * 50_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_are_shown_whole_and_at_once(text: str):
    began = time.thread_time()
    seen = Reader(shown(text))
    style_after(PLAIN, text)
    assert time.thread_time() - began < 5
    assert (seen.text, seen.odd) == (entry_text(text).rstrip(), [])


def test_only_so_many_stretches_of_a_text_have_colours():
    html = shown("\x1b[31mr\x1b[32mg" * MOST_SPANS + "\x1b[0m end")
    assert html.count("<span") == MOST_SPANS
    assert Reader(html).text == "rg" * MOST_SPANS + " end"


def test_the_time_for_10_megabytes_grows_with_their_length_alone():
    # Different colours all along: none is looked up.
    colours = [f"\x1b[38;2;{n % 256};{n // 256 % 256};{n % 7}mx" for n in range(600_000)]
    text = "".join(colours)
    assert len(text) > 10_000_000
    began = time.thread_time()
    assert shown(text).count("x") >= 600_000
    style_after(PLAIN, text)
    # A few seconds on an idle machine.
    assert time.thread_time() - began < 30


def test_a_style_is_carried_by_one_short_sequence():
    style = style_after(PLAIN, "\x1b[1;31m\x1b[38;2;0;0;200mx\x1b[4:3m\x1b[48;5;9m")
    assert sequence(style) == "\x1b[1;4;34;101m"
    assert style_after(PLAIN, sequence(style)) == style
    assert style_after(style, "\x1b[m") == PLAIN
    everything = style_after(PLAIN, "\x1b[1;2;3;4;7;9;97;107m" * 1_000)
    assert len(sequence(everything)) < 30


def test_colours_stay_where_they_were_when_a_part_is_replaced():
    text, spans = read("\x1b[31muser \x1b[32mal\x1b[33mice\x1b[0m, word \x1b[34mx\x1b[0m end \x1b[35m!")
    after = "user (redacted), word (redacted) end !"
    assert entry_html(after, moved(spans, text, after, "(redacted)"), markdown=False) == (
        '<p><span class="sgr-red">user </span><span class="sgr-green">(redacted)</span>, word '
        '<span class="sgr-blue">(redacted)</span> end <span class="sgr-magenta">!</span></p>'
    )
    # A rule of somebody's own may change more than that.
    for other in (
        "",
        "quite another text",
        "user ***, word",
        "(redacted)",
        "(redacted)" * 50,
        f"{text}(redacted)",
    ):
        html = entry_html(other, moved(spans, text, other, "(redacted)"), markdown=False)
        assert Reader(html).text == other
        assert Reader(html).odd == []


def test_a_hit_is_marked_across_colours_and_no_class_is_found():
    html = shown("\x1b[1;31mError:\x1b[0m not found, span")
    assert marked(html, "error: NOT") == (
        '<p><span class="sgr-bold sgr-red"><mark>Error:</mark></span><mark> not</mark> found, span</p>'
    )
    for find in ("red", "sgr", "class", "bold", "<", '"'):
        assert marked(html, find) == html
    assert marked(html, "span").count("<mark>") == 1


def test_colours_do_not_make_a_short_line_long():
    assert text_length(shown("\x1b[31mr\x1b[32mg" * 10)) == len("<p></p>") + 20
    assert text_length("<p>plain</p>") == len("<p>plain</p>")


# --- the palette -------------------------------------------------------------------------------------------------

CSS = (PROJECT_ROOT / "static" / "errand.css").read_text("utf-8")
PAIR = r"light-dark\((#\w+),(#\w+)\)"
NAMED = {name: (light, dark) for name, light, dark in re.findall(rf"--([\w-]+):{PAIR}", CSS)}
INKS = {name: (light, dark) for name, light, dark in re.findall(rf"\.(sgr-[\w-]+){{color:{PAIR}}}", CSS)}
PAPERS = {
    name: (light, dark) for name, light, dark in re.findall(rf"\.(sgr-on-[\w-]+){{background:{PAIR}}}", CSS)
}

#: What a line of a log may lie on, and what marks a hit in it.
GROUNDS = ("surface", "sunk", "run-bg", "warn-bg", "bad-bg")


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_class_has_a_look():
    for name in CLASSES:
        assert re.search(rf"\.{name}{{", CSS), name
    assert len(INKS) == len(PAPERS) == 16
    assert {*INKS, *PAPERS} <= CLASSES


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_on_every_other(theme: int):
    inks = {name: pair[theme] for name, pair in INKS.items()}
    grounds = {name: NAMED[name][theme] for name in GROUNDS}
    papers = {name: pair[theme] for name, pair in PAPERS.items()}
    # What has no ink of its own: on paper the text's, and faint only where there is none.
    pairs = [(ink, ground) for ink in inks.items() for ground in [*grounds.items(), *papers.items()]]
    pairs += [(("ink", NAMED["ink"][theme]), ground) for ground in [*grounds.items(), *papers.items()]]
    pairs += [(("ink3", NAMED["ink3"][theme]), ground) for ground in grounds.items()]
    pairs += [(("on-solid", NAMED["on-solid"][theme]), ("solid", NAMED["solid"][theme]))]
    low = [(ink, ground, contrast(ink[1], ground[1])) for ink, ground in pairs]
    assert [pair for pair in low if pair[2] < 4.5] == []
    assert len(set(inks.values())) == 16, "no two look alike"
    assert len(set(papers.values())) == 16
