"""Finding in a log, and taking it away as a file."""

import csv
import io
import json
import re
from uuid import uuid4

import pytest
from sqlalchemy import insert

from store.models import FAMILIES, JobResult, LogEntry
from webapp import log, log_download
from webapp.log import Filter

from .conftest import NOON, text
from .test_plans_of_lists import plan

HTMX = {"HX-Request": "true"}


def url(result, rest=""):
    return f"/results/{result.id}{rest}"


@pytest.fixture
def result(make_job, make_result, add_entries):
    result = make_result(make_job(), "failed", cause="No.")
    add_entries(result, "Port Te1 is **up**", "port Te2 is up")
    add_entries(result, "looked at port Te3", level="debug", grouping="details")
    add_entries(
        result,
        "Port Te4 is down",
        level="failure",
        object_text="sw-1",
        object_url="/objects/inventory.device/1/",
    )
    return result


def found(page: str) -> str:
    return re.search(r'<span [^>]*id="found" role="status"[^>]*>([^<]*)</span>', page)[1]


def links(page: str) -> dict[str, str]:
    menu = page[page.index('id="log-files"') :].partition("</div>")[0]
    return {
        form: address.replace("&amp;", "&")
        for address, form in re.findall(r'href="(/results/[^"]+/log\.(\w+)[^"]*)"', menu)
    }


def rows(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(answer), newline="")))


# --- Failures -------------------------------------------------------------------------------------------------


@pytest.fixture
def far(db, make_job, make_result, add_entries):
    """A long log whose one failure is far from both ends."""
    result = make_result(make_job(), "failed", cause="No.")
    many = {"result_id": result.id, "attempt": 1, "level": "info", "grouping": "run", "created_at": NOON}
    said = [{**many, "message": f"Row {seq}", "html": f"<p>Row {seq}</p>"} for seq in range(1, 3_001)]
    db.execute(insert(LogEntry), [{**each, "seq": seq} for seq, each in enumerate(said, 1)])
    result.last_seq = 3_000
    db.commit()
    add_entries(result, "Port Te4 is down", level="error")
    db.execute(insert(LogEntry), [{**each, "seq": seq} for seq, each in enumerate(said, 3_002)])
    result.last_seq = 6_001
    db.commit()
    return result


def test_the_summary_names_a_failure_wherever_it_is(alice, far):
    page = text(alice.get(url(far)))
    assert f'href="{url(far)}?line=3001#L3001"' in page
    assert "Port Te4 is down" in page


def test_failures_alone_are_found_at_once_in_a_long_log(alice, far, monkeypatch):
    monkeypatch.setattr("webapp.log.SCAN", 20)
    page = text(alice.get(url(far, "?level=failure")))
    assert 'id="L3001"' in page
    assert "Look further" not in page
    assert "Look further" in text(alice.get(url(far, "?level=failure&q=Te4")))
    assert "Look further" in text(alice.get(url(far, "?level=warning")))


def test_a_database_does_not_look_for_failures_among_all_lines(platform):
    failures = log._of(JobResult(id=uuid4()), Filter(("failure",)), [LogEntry.seq])
    assert plan(platform, failures.order_by(LogEntry.seq).limit(5)) == ["ix_log_entries_failures"]


def test_looking_further_says_what_was_found_there(alice, far, monkeypatch):
    monkeypatch.setattr("webapp.log.SCAN", 2_500)
    page = text(alice.get(url(far, "?q=Te4")))
    assert found(page) == "0 lines in 1 to 2\u202f500"
    address = re.search(r'hx-get="([^"]+)"[^>]*>Look further on', page)[1].replace("&amp;", "&")
    further = text(alice.fragment(address))
    assert 'id="L3001"' in further
    assert found(further) == "1 further line in 2\u202f501 to 5\u202f000"
    back = text(alice.fragment(url(far, "/log?q=Te4&before=3001")))
    assert found(back) == "0 further lines in 501 to 3\u202f000"
    assert 'id="found"' not in text(alice.fragment(url(far, "/log?after=100")))


# --- Find in log ----------------------------------------------------------------------------------------------


def test_hits_are_marked_and_counted(alice, result):
    for page in (text(alice.get(url(result, "?q=PORT"))), text(alice.fragment(url(result, "/log?q=PORT")))):
        assert page.count("<mark>") == 4
        assert "<mark>Port</mark> Te1 is <strong>up</strong>" in page
        assert found(page) == "4 lines"
    assert found(text(alice.fragment(url(result, "/log?q=te4&level=failure")))) == "1 line"
    assert found(text(alice.fragment(url(result, "/log?q=nowhere")))) == "0 lines"


def test_without_a_search_nothing_is_counted(alice, result):
    assert found(text(alice.get(url(result)))) == ""
    assert found(text(alice.fragment(url(result, "/log?level=failure")))) == ""


def test_the_count_is_told_politely_where_the_search_was(alice, result):
    page = text(alice.get(url(result)))
    # The region is there before there is something to say, or nobody would hear it.
    assert '<span class="dim sm nowrap" id="found" role="status"></span>' in page
    assert 'id="found" role="status" hx-swap-oob="innerHTML">4 lines<' in text(
        alice.fragment(url(result, "/log?q=port"))
    )


def test_more_hits_than_a_page_shows_are_not_called_all(alice, make_job, make_result, add_entries):
    result = make_result(make_job())
    add_entries(result, *(f"line {number}" for number in range(120)))
    assert found(text(alice.get(url(result, "?q=line")))) == "100 lines in 1 to 100"


def test_large_and_small_letters_are_the_same_in_every_alphabet(alice, make_job, make_result, add_entries):
    result = make_result(make_job())
    add_entries(result, "ÜBERTRAGUNG läuft", "Übertragung läuft", "übertragung läuft", "Nichts")
    for find in ("übertragung", "Übertragung", "ÜBERTRAGUNG"):
        page = text(alice.get(url(result), query_string={"q": find}))
        assert found(page) == "3 lines"
        assert page.count("<mark>") == 3


# --- Levels ---------------------------------------------------------------------------------------------------


def shown_levels(page: str) -> list[str]:
    return re.findall(r'name="level" value="(\w+)" checked', page)


def test_a_link_to_a_debug_line_shows_debug_lines(alice, result):
    assert "debug" not in shown_levels(text(alice.get(url(result, "?line=4"))))
    assert shown_levels(text(alice.get(url(result, "?line=3")))) == list(FAMILIES)


def test_all_levels_that_are_asked_for_are_shown(alice, result):
    everything = "&".join(f"level={family}" for family in FAMILIES)
    assert shown_levels(text(alice.get(url(result, f"?{everything}")))) == list(FAMILIES)


def test_the_address_says_how_the_log_is_filtered(alice, result):
    """So a reload, the way back and a link that is handed on show the same lines."""
    answer = alice.fragment(url(result, "/log?level=info&level=nonsense&q=port+t"))
    assert answer.headers["HX-Replace-Url"] == url(result, "?level=info&q=port+t")
    assert alice.fragment(url(result, "/log?q=")).headers["HX-Replace-Url"] == url(result)
    assert "HX-Replace-Url" not in alice.fragment(url(result, "/log?after=1&q=port")).headers


def test_programs_are_told_when_each_line_was_logged(alice, result):
    page = text(alice.get(url(result)))
    moments = re.findall(r'<time class="at" datetime="(\d{4}-\d\d-\d\dT[\d:.]+Z)" title="[^"]+ UTC">\+', page)
    assert len(moments) == result.last_seq


# --- Downloads ------------------------------------------------------------------------------------------------


def test_the_log_is_offered_in_three_forms(alice, result):
    assert links(text(alice.get(url(result)))) == {
        form: url(result, f"/log.{form}") for form in ("txt", "csv", "ndjson")
    }


def test_the_links_follow_the_filter(alice, result):
    for page in (
        text(alice.get(url(result, "?level=failure&level=info&q=port+t"))),
        text(alice.fragment(url(result, "/log?level=failure&level=info&q=port+t"))),
    ):
        assert links(page)["csv"] == url(result, "/log.csv?level=info&level=failure&q=port+t")
        assert "The lines that fit" in page
    everything = "&".join(f"level={family}" for family in FAMILIES)
    assert links(text(alice.fragment(url(result, f"/log?{everything}"))))["csv"] == url(result, "/log.csv")


@pytest.mark.parametrize(
    ("form", "mimetype"),
    [("txt", "text/plain"), ("csv", "text/csv"), ("ndjson", "application/x-ndjson")],
)
def test_a_download_honours_the_filter(alice, result, form, mimetype):
    answer = alice.get(url(result, f"/log.{form}"))
    assert answer.content_type == f"{mimetype}; charset=utf-8" or answer.content_type == mimetype
    assert answer.headers["Content-Disposition"] == f"attachment; filename={result.short_id}-log.{form}"
    assert [f"Te{number}" in text(answer) for number in (1, 2, 3, 4)] == [True] * 4
    answer = alice.get(url(result, f"/log.{form}?level=info&level=debug&q=PORT+TE"))
    assert [f"Te{number}" in text(answer) for number in (1, 2, 3, 4)] == [True, True, True, False]
    answer = alice.get(url(result, f"/log.{form}?level=failure"))
    assert [f"Te{number}" in text(answer) for number in (1, 2, 3, 4)] == [False, False, False, True]


def test_csv_has_a_row_for_each_entry(alice, result):
    first, *_, last = rows(alice.get(url(result, "/log.csv")))
    assert list(first) == ["seq", "created_at", "level", "grouping", "object", "object_url", "message"]
    assert (first["seq"], first["message"], first["object"]) == ("1", "Port Te1 is **up**", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", first["created_at"])
    assert (last["level"], last["grouping"]) == ("failure", "run")
    assert (last["object"], last["object_url"]) == ("sw-1", "/objects/inventory.device/1/")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_is_a_formula(alice, make_job, make_result, add_entries, db, start):
    result = make_result(make_job())
    formula = f'{start}HYPERLINK("http://evil.example","x")\nmore, "of" it'
    add_entries(result, formula, grouping=f"{start}g", object_text=f"{start}o", object_url=f"{start}u")
    (row,) = rows(alice.get(url(result, "/log.csv")))
    assert row["message"] == f"'{formula}"
    assert [row[name] for name in ("grouping", "object", "object_url")] == [
        f"'{start}g",
        f"'{start}o",
        f"'{start}u",
    ]


def test_ndjson_is_what_the_api_gives_without_the_html(app, alice, result):
    lines = [json.loads(line) for line in text(alice.get(url(result, "/log.ndjson"))).splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert set(lines[0]) == {"seq", "created_at", "level", "grouping", "message", "object"}
    assert lines[0]["object"] is None
    assert lines[3]["object"] == {"text": "sw-1", "url": "/objects/inventory.device/1/"}


def test_hostile_lines_stay_lines(alice, make_job, make_result, add_entries):
    result = make_result(make_job())
    hostile = '</script>"\'\n\x1b{"seq": 9}\N{LINE SEPARATOR}<img src=x onerror=alert(1)>'
    add_entries(result, hostile)
    answer = alice.get(url(result, "/log.ndjson"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(text(answer))["message"] == hostile


def test_long_logs_come_in_pieces(app, alice, make_job, make_result, add_entries, monkeypatch):
    monkeypatch.setattr(log_download, "PIECE", 7)
    result = make_result(make_job())
    add_entries(result, *(f"line {number}" for number in range(30)))
    add_entries(result, "the last", level="failure")
    for form, head in (("txt", 0), ("csv", 1), ("ndjson", 0)):
        answer = alice.get(url(result, f"/log.{form}"), buffered=False)
        pieces = list(answer.response)
        assert len(pieces) == 5 + head
        assert b"".join(pieces).count(b"line ") == 30
        # Pieces in which nothing fits are left out.
        with alice.get(url(result, f"/log.{form}?level=failure"), buffered=False) as answer:
            pieces = list(answer.response)
            assert len(pieces) == 1 + head
            assert b"the last" in pieces[-1]


def test_an_empty_log_is_an_empty_file(alice, make_job, make_result):
    result = make_result(make_job())
    assert text(alice.get(url(result, "/log.txt"))) == text(alice.get(url(result, "/log.ndjson"))) == ""
    assert (
        text(alice.get(url(result, "/log.csv")))
        == "seq,created_at,level,grouping,object,object_url,message\r\n"
    )


@pytest.mark.parametrize("form", ["txt", "csv", "ndjson", "xml"])
def test_unknown_logs_are_not_found(alice, result, form):
    assert alice.get(f"/results/00000000-0000-4000-8000-000000000000/log.{form}").status_code == 404
    assert alice.get(url(result, "/log.xml")).status_code == 404
