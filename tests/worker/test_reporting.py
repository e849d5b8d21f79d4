"""What runs report: on its way from the job to the database."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from jobs.report.shape import MOST_BYTES, MOST_PIECES
from store.models import JobResult, LogEntry, RunReport
from tests.worker.conftest import Portal
from worker.removal import remove

pytestmark = pytest.mark.in_turn


def report_of(portal: Portal, result: JobResult) -> dict[str, Any] | None:
    with portal.platform.session() as db:
        return db.scalar(select(RunReport.data).where(RunReport.result_id == result.id))


def test_a_run_keeps_what_it_appends_and_what_it_returns(portal: Portal):
    result = portal.run("Reports", raw={"password": "hunter2-hunter2"})
    assert (result.status, result.return_value, result.output.strip()) == ("completed", None, "")
    report = report_of(portal, result)
    assert report is not None
    assert report["title"] == "All of it"
    section, table, text, image, file, code = report["pieces"]
    assert (section["level"], section["content"]) == (2, "First")
    assert table["headers"] == ["0", "1"]
    assert table["rows"] == [[1, {"kind": "object", "text": "thing <1>", "url": "/objects/things/1"}]]
    assert "hunter2" not in json.dumps(report)
    assert text["content"] == "It is (redacted)."
    # A file on disk has become one that is kept with the result.
    assert image["source"].startswith(f"/results/{result.id}/files/")
    assert (file["source"], code["language"]) == ("list.txt", "bash")
    with portal.platform.session() as db:
        remove(db, portal.settings, db.get_one(JobResult, result.id), portal.cast["root"])
        db.commit()
    assert report_of(portal, result) is None


def test_what_is_too_much_is_cut_and_the_log_says_so(portal: Portal):
    result = portal.run("ReportsTooMuch")
    assert result.status == "completed"
    report = report_of(portal, result)
    assert report is not None
    assert len(json.dumps(report)) <= MOST_BYTES + 1_000
    assert MOST_PIECES - 60 < len(report["pieces"]) <= MOST_PIECES
    assert "nested too deeply" in json.dumps(report["pieces"][1])
    with portal.platform.session() as db:
        query = select(LogEntry.message).where(LogEntry.result_id == result.id, LogEntry.level == "warning")
        said = " ".join(db.scalars(query))
    assert "more than 5,000 pieces" in said
    assert "nested more than 50 deep" in said


def test_a_broken_run_keeps_the_report_and_a_forged_one_only_its_shape(portal: Portal):
    broken = portal.run("ReportsAndBreaks")
    kept = report_of(portal, broken)
    assert broken.status == "errored"
    assert kept is not None
    assert kept["pieces"][0]["content"] == "As far as it came."
    forged = portal.run("WritesReportsItself")
    assert (forged.status, forged.return_value) == ("completed", "A NAME OF ITS OWN")
    assert (report_of(portal, forged) or {})["pieces"] == [
        {"kind": "object", "text": "x", "url": ""},
        {"kind": "text", "content": None, "tag": "p"},
        {"kind": "table", "title": "", "headers": None, "row_headers": None, "footers": None, "rows": []},
        {
            "kind": "chart",
            "chart": "bars",
            "title": "",
            "labels": ["a"],
            "series": [{"name": "", "values": [None]}, {"name": "", "values": [None]}],
            "unit": "",
        },
        {"kind": "text", "content": "\ufffd" * 3, "tag": "p"},
    ]
