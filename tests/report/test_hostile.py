"""Whatever a job puts into a report, wherever: nothing active comes out, in no format."""

import re
import xml.dom.minidom
from html.parser import HTMLParser
from typing import Any

import markdown
import pytest

from jobs.report import (
    Blockquote,
    Chart,
    Code,
    Data,
    File,
    Footer,
    Header,
    Html,
    Image,
    List,
    Markdown,
    Metric,
    ObjectLink,
    Report,
    Section,
    Table,
    Text,
    Title,
    writing,
)
from jobs.report.shape import fit
from store.reports import files
from store.reports.page import ON_REPORT, ON_RESULT, Look, render_part, render_table
from store.reports.sorting import sorted_rows
from store.settings import PROJECT_ROOT

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></code></svg></style></title><iframe src=javascript:alert(1)>",
    "[x](javascript:alert(1)) ![y](javascript:alert(2)) <a href='javascript:alert(3)'>z</a>",
    "```\n<svg onload=alert(1)>\n",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "]]>--><x hx-get=/evil hx-trigger=load>&#x3C;script>",
    "\x00\u202e\ud800{{7*7}}",
    "=cmd|' /C calc'!A0",
]

ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "form",
    "base",
    "link",
    "input",
    "foreignobject",
    "animate",
    "use",
    "x",
}


class Thing:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        return self.text


class Looking(HTMLParser):
    """Notes what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag in ACTIVE:
            self.found.append(tag)
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name.startswith("on") or name in ("style", "srcdoc", "formaction", "hx-trigger", "hx-on"):
                self.found.append(f"{tag} {name}")
            if name in ("href", "src", "action", "hx-get") and not text.startswith(
                ("/", "#", "http://", "https://", "mailto:", "data:image/png;base64,")
            ):
                self.found.append(f"{tag} {name}={text}")


def active(html: str) -> list[str]:
    looking = Looking()
    looking.feed(html)
    looking.close()
    return looking.found


def hostile(evil: str) -> Report:
    """Put the text into every position of every piece."""
    options: dict[str, Any] = {"name": evil, "size": evil, "color": evil, "style": evil}
    inline = [
        ObjectLink(Thing(evil), **options),
        ObjectLink(evil),
        File(evil, evil),
        Image(evil, evil, evil, evil, evil),
    ]
    pieces = [
        Header(evil, Text(evil), evil),
        Title(evil, **options),
        Section(Code(evil)),
        Text(evil, tag=evil, **options),
        Text(List(evil, *inline)),
        Code(evil, evil, evil, True, **options),
        Code(evil, "python"),
        Code(evil, "html"),
        Code(f"-{evil}\n+{evil}", "diff", "1"),
        Data({evil: {evil: [evil, {evil: evil}]}}, **options),
        Table(
            [[evil, *inline], [Data({evil: evil}), Table([[evil]]), List(evil), Markdown(evil), Html(evil)]],
            column_headers=[evil] * 5,
            row_headers=[evil, Code(evil)],
            column_footers=[evil] * 5,
            title=evil,
            **options,
        ),
        List(evil, List(evil), ordered=True, **options),
        Blockquote(Markdown(evil), **options),
        Markdown(evil),
        Html(evil),
        *inline,
        Chart({evil: 1, "b": -2}, title=evil, unit=evil, **options),
        Chart({evil: [1, 2], "b": [3, None]}, "lines", title=Text(evil), labels=[evil, evil], unit=evil),
        Metric(evil, evil, evil, evil, **options),
        Footer(evil, evil, evil),
    ]
    return Report(*pieces, title=evil, filename=evil)


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_active_survives_in_any_format(evil: str):
    report = hostile(evil)
    data, _ = fit(report.as_data())
    look = Look(
        address="/results/1/report",
        here="/results/1",
        files={evil: "/results/1/files/1"},
        hosts=("x.example",),
    )
    page = str(render_part(data, look).html)
    assert active(page) == []
    assert "SVG</a>" in page
    numbers = [number for number, piece in enumerate(data["pieces"]) if piece["kind"] == "table"]
    look.table, look.sort = numbers[0], -1
    assert active(str(render_table(data, look))) == []
    for portal in ("", "https://portal.example/errand"):
        _, mail = files.for_mail(data, portal)
        assert active(mail) == []
    assert "<h1" in (alone := files.as_html(data, evil))
    assert [each for each in active(alone) if not each.startswith("meta")] == []
    assert active(writing.html(data)) == []
    assert active(markdown.markdown(writing.markdown(data), extensions=["fenced_code", "tables"])) == []
    xml.dom.minidom.parseString(writing.xml(data).encode("utf-8", "replace"))
    for piece in data["pieces"]:
        if piece["kind"] == "chart":
            svg = files.of_piece(piece, "svg") or ""
            assert active(svg.replace("<?xml", "")) == []
            xml.dom.minidom.parseString(svg.encode("utf-8", "replace"))
    for cell in (files.table_number(data, 1) or "").replace('"', "").split(","):
        assert not cell.startswith("=cmd")


def test_much_of_everything_is_shown_in_part_and_soon():
    deep: Any = Text("bottom")
    for _ in range(60):
        deep = List(deep)
    rows = [[number, f"port-{number}", "x" * 40, ObjectLink(Thing("/objects/1"))] for number in range(10_000)]
    code = "def f(x):\n    return x + 1  # why\n" * 150_000
    data, cut = fit(
        Report(Section("Rows"), Table(rows), deep, Code(code, "python", line_numbers=True)).as_data()
    )
    assert len(cut) == 1
    look = Look(address="/results/1/report", here="/results/1", room=ON_RESULT)
    part = render_part(data, look)
    assert len(part.html) < 260_000
    assert "100 of 10,000" in part.html
    assert "Show all" in part.html
    look.table, look.sort, look.page, look.room = 1, -1, 100, ON_REPORT
    last = str(render_table(data, look))
    assert last.index("port-99<") < last.index("port-0<")
    assert "Page 100 of 100" in last


def test_a_report_of_many_pieces_is_read_part_by_part():
    data, _ = fit(Report(*(Text("words " * 100) for _ in range(2_000))).as_data())
    look = Look(address="/r", here="/r", room=ON_RESULT)
    seen, first = 0, 0
    while True:
        part = render_part(data, look, first)
        seen += str(part.html).count("<p")
        if part.rest is None:
            break
        assert part.rest > first
        first = part.rest
    assert seen == 2_000


def test_rows_are_sorted_as_people_do():
    rows = [["b10"], [None], ["b9"], [5], ["1,200"], ["7 %"], [""], [-1.5]]
    assert sorted_rows(rows, 1) == [[-1.5], [5], ["7 %"], ["1,200"], ["b9"], ["b10"], [None], [""]]
    assert sorted_rows(rows, -1)[:2] == [["b10"], ["b9"]]
    assert sorted_rows(rows, 9) == rows


def test_images_are_shown_where_they_may_be():
    pixel = "data:image/png;base64,AAAA"
    made = "/results/1/files/4"
    images = [
        Image(source, alt="dot")
        for source in (
            pixel,
            made,
            "https://ok.example/a.png",
            "https://x.example/a.png",
            "http://ok.example/a.png",
            "/results/2/files/9",
        )
    ]
    data, _ = fit(Report(*images).as_data())
    look = Look(address="/results/1/report", here="/", files={made: made}, hosts=("ok.example",))
    shown = [str(render_part({"pieces": [piece]}, look).html) for piece in data["pieces"]]
    assert [text[:4] for text in shown] == ["<img", "<img", "<img", "<a h", "<a h", "[dot"]


def test_a_chart_is_printed():
    style = (PROJECT_ROOT / "static" / "errand.css").read_text()
    hidden = set(
        re.findall(r"\.([\w-]+)(?=[^{}]*\{display:none!important\})", style.partition("@media print")[2])
    )
    assert {"side", "tabs", "btn"} <= hidden
    for kind in ("bars", "lines"):
        drawn = render_part(Report(Chart({"a": 1, "b": 2}, chart=kind)).as_data(), Look()).html
        svg = drawn[drawn.index("<svg") : drawn.index("</svg>")]
        assert "ch1" in svg
        assert not hidden & {word for words in re.findall(r'class="([^"]+)"', svg) for word in words.split()}
