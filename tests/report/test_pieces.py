"""Pieces take what those of Bots Scheduler take, and are data."""

import json
from typing import Any

import pytest

from jobs.report import (
    Blockquote,
    Chart,
    Code,
    Data,
    Footer,
    Header,
    Image,
    List,
    Metric,
    Report,
    Rule,
    Section,
    Subsection,
    Subsubsection,
    Subsubsubsection,
    Table,
    Text,
    Title,
    report_of,
)
from jobs.report.images import LARGEST_IMAGE_BYTES
from jobs.report.shape import TOO_LARGE_IMAGE, fit


def test_headings_have_their_tags_and_refuse_others():
    headings = [Title("a"), Section("a"), Subsection("a"), Subsubsection("a"), Subsubsubsection("a")]
    assert [heading.as_data()["level"] for heading in headings] == [1, 2, 3, 4, 5]
    assert Title("a", tag="h6").as_data()["level"] == 6
    with pytest.raises(ValueError, match="h1, h2"):
        Title("a", tag="h7")
    with pytest.raises(ValueError, match="not str"):
        Data("text")


def test_tables_have_headers_both_ways_and_refuse_those_that_do_not_fit():
    table = Table([[1, 0.123456], ["x", None]], row_headers=["a", "b"], column_footers=["s", "t"])
    assert table.as_data()["headers"] == ["0", "1"]
    assert table.as_data()["rows"] == [[1, "0.12"], ["x", None]]
    assert Report(table).csv() == ",0,1\r\na,1,0.12\r\nb,x,\r\n,s,t\r\n"
    assert Table([[1]], column_headers=None).as_data()["headers"] is None
    assert Table([{"a": 1}, {"b": 2}]).as_data()["headers"] == ["a", "b"]
    for wrong in ({"column_headers": ["a"]}, {"row_headers": ["a"]}, {"column_footers": list("abc")}):
        with pytest.raises(ValueError, match="The table has"):
            Table([[1, 2], [3, 4]], **wrong)


def test_options_become_a_few_looks_and_unknown_ones_are_ignored():
    data = Text(
        "a", size=20, color="Red", style="position:fixed", name="n", whatever=1, tag="marquee"
    ).as_data()
    assert data == {"kind": "text", "content": "a", "tag": "p", "name": "n", "size": "large", "color": "bad"}
    assert Code("a", hl_lines="1,3-5 x").as_data()["hl_lines"] == [1, 3, 4, 5]
    assert List(["a", Text("b")], ordered=True).as_data()["items"][0] == "a"
    assert List("a", "b").as_data()["items"] == ["a", "b"]


def test_charts_take_plain_numbers_in_three_ways():
    assert Chart({"a": 1, "b": 2.5}).as_data()["series"] == [{"name": "", "values": [1, 2.5]}]
    assert Chart([("a", 1), ("b", float("nan"))]).as_data()["series"][0]["values"] == [1, None]
    many = Chart({"in": [1, 2], "out": [3]}, "lines", labels=["x", "y"]).as_data()
    assert [each["values"] for each in many["series"]] == [[1, 2], [3, None]]
    with pytest.raises(ValueError, match="numbers"):
        Chart({"a": "b"})
    with pytest.raises(ValueError, match="bars, lines"):
        Chart({}, "pie")


def test_a_report_is_a_list_that_takes_plain_values_and_other_reports():
    report = Report("first", title="T")
    report.append(Rule(), Report(Text("inner"), 7))
    report.prepend(Section("top"))
    report.insert(1, "second")
    report.extend([Blockquote("q"), None])
    kinds = [piece["kind"] for piece in report.as_data()["pieces"]]
    assert kinds == ["heading", "text", "text", "rule", "text", "text", "blockquote"]
    assert json.loads(report.json())[0] == {"kind": "heading", "level": 2, "content": "top"}
    assert report.md().startswith("# T\n\n## top\n\nsecond")
    assert "<h2>top</h2><br/>\n<p>second</p>" in report.html()
    assert report.xml().startswith("<?xml")


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        (None, None),
        ("text", None),
        ({"a": 1}, None),
        ([1, 2], None),
        (Text("a"), 1),
        ([Section("a"), "b", [Text("c")]], 3),
        ((Section("a"), Header(left="l"), Footer(right="r")), 3),
        (Report(), 0),
    ],
)
def test_what_counts_as_a_report(value: Any, pieces: int | None):
    report = report_of(value)
    assert (None if report is None else len(report)) == pieces


def test_only_images_of_four_kinds_and_of_a_size_are_kept():
    kept, cut = fit(
        Report(
            Image(b"GIF89a"),
            Image("data:image/svg+xml;base64,PHN2Zz4="),
            Image("javascript:alert(1)"),
            Image("data:image/png;base64," + "A" * (2 * LARGEST_IMAGE_BYTES)),
            Metric("m", float("inf")),
        ).as_data()
    )
    sources = [piece.get("source", "none") for piece in kept["pieces"]]
    assert sources == ["data:image/gif;base64,R0lGODlh", "", "", "", "none"]
    assert cut == [TOO_LARGE_IMAGE]
