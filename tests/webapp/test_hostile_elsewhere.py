"""Hostile texts where no page shows them: in files, headers, messages, numbers, logs and at a terminal."""

import csv
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.http import parse_options_header

from jobs.report import Report, Table, Text
from store import audit
from store.files import file_store
from store.models import FINAL, AuditRecord, Delivery, RunFile, RunReport
from store.notice_settings import SmtpSettings
from store.text import clean_text
from tests.hostile_texts import OWN
from tests.parsed_html import skeleton
from webapp.cli import main
from worker import mail, messages
from worker.messages import NO_REPORT
from worker.slack import formats

from .conftest import Browser, text
from .test_matrix import token_of

PORTAL = "https://portal.example"

#: As OWASP lists them, and not as the product has them.
FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
FORMULAS = tuple(f"{start}1+1" for start in FORMULA_STARTS)

#: What would add a line, a header or a mention, turn a line around, or move a cursor.
TRICKS = (
    "a\r\nSet-Cookie: x=1",
    "b\nBcc: eve@example.com",
    'c"; filename="evil.sh',
    "../../d\\e.sh",
    "photo\u202egnp.exe",
    "\x1b]0;title\x07\x1b[2Je\x9b31m",
    "<!channel> <@U1> <https://evil.example|x>",
    'f\\"} 1\nerrand_up{part="g"} 0',
    "h\u2028i\x85j\x0bk\x00l",
)

#: No line of a log, a terminal or a header has them.
OBEYED = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202b\u202c\u202d\u202e\u2066\u2069"}


def obeyed(said: str) -> set[str]:
    return OBEYED & set(said) - set("\n\t")


def cells(answer: Any) -> Iterator[str]:
    assert answer.status_code == 200, answer.text
    for row in csv.reader(io.StringIO(answer.text, newline="")):
        yield from row


def test_no_cell_of_any_file_is_a_formula(
    root: Browser, db: Any, make_job: Any, make_result: Any, add_entries: Any
):
    job = make_job()
    results = [make_result(job, "errored") for _ in FORMULAS]
    for result, word in zip(results, FORMULAS, strict=True):
        result.name = result.cause = word
        with audit.acting(audit.Actor(word, "page", word)):
            audit.note(db, word, word, after={word: word})
        add_entries(result, word, grouping=word, object_text=word)
        report = Report(Table([[word]], column_headers=[word], title=word)).as_data()
        db.add(RunReport(result_id=result.id, data=report, pieces=1))
    ids = [result.id for result in results]
    db.commit()
    db.rollback()
    files = ["/results/results.csv", "/admin/audit/audit.csv"]
    files += [f"/results/{each}/{file}" for each in ids for file in ("log.csv", "report?format=csv&table=1")]
    seen = 0
    for file in files:
        for cell in cells(root.get(file, buffered=True)):
            assert not cell.startswith(FORMULA_STARTS), (file, cell)
            seen += cell[1:] in FORMULAS
    assert seen > 4 * len(FORMULAS), "they are there"


def test_names_of_files_add_nothing_to_a_header(
    app: Any, alice: Browser, db: Any, make_job: Any, make_result: Any
):
    """Such names are refused, or made fit, where they come in; these rows came in another way."""
    result = make_result(make_job())
    with app.app_context():
        files = file_store(app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine)
        keys = [files.put(io.BytesIO(b"x")) for _ in TRICKS]
    with db.begin():
        rows = [
            RunFile(key=key, result_id=result.id, name=name, content_type="text/html", size_bytes=1)
            for key, name in zip(keys, TRICKS, strict=True)
        ]
        db.add_all(rows)
        db.flush()
        ids = [row.id for row in rows]
    for number, name in zip(ids, TRICKS, strict=True):
        answer = alice.get(f"/results/{result.id}/files/{number}")
        assert answer.status_code == 200, name
        said = answer.headers["Content-Disposition"]
        kind, options = parse_options_header(said)
        assert (kind, set(options)) == ("attachment", {"filename"}), said
        assert not OBEYED & set(options["filename"]), said
        assert not {"/", "\\"} & set(options["filename"]), said
        assert "x=1" not in answer.headers.get("Set-Cookie", "")


def test_a_message_says_what_was_written_and_nothing_more():
    expected = _mail("word")
    for given in (*TRICKS, *OWN):
        word = clean_text(given)  # As everywhere before something is stored.
        made = _mail(word)
        assert made.keys() == expected.keys(), word
        assert made["To"] == "a@example.com"
        pages = [skeleton(each.get_body(("html",)).get_content()) for each in (made, expected)]
        assert pages[0] == pages[1], word
        told = formats.Told(word, "failed", cause=word, key="", canceled_by=word)
        ends = (
            formats.reply(replace(told, status=status), formats.Output(word, markup=False))
            for status in FINAL
        )
        said = [
            messages.slack_blocks(_delivery(word), PORTAL),
            *(m.arguments() for e in ends for m in e.messages),
        ]
        for shown in said:
            # A header is plain text. What Slack has a meaning for begins with this; the link to the page is ours.
            blocks = [each for each in shown.get("blocks", ()) if each["type"] != "header"]
            assert "<" not in f"{shown['text']} {blocks}".replace(f"<{PORTAL}/results/1|", ""), word


def _delivery(word: str) -> Delivery:
    content = {"texts": [word], "facts": [[word, word]], "failures": [word], "path": "/results/1"}
    return Delivery(
        event="ended", via="mail", target="mail:1", receiver=word, title=word, content=content, mark=uuid4()
    )


def _mail(word: str) -> Any:
    server = SmtpSettings("localhost", 25, "none", "errand@example.com")
    made = mail.compose(server, _delivery(word), PORTAL, {}, NO_REPORT, ["a@example.com"])
    return message_from_bytes(bytes(made), policy=policy.default)


def test_what_pops_up_in_a_browser_is_a_link_of_ours_with_words_in_it(alice: Browser, db: Any, cast: Any):
    with db.begin():
        row = _delivery("word")
        row.via, row.user_id, row.event_key, row.target = "browser", cast["alice"].id, "1", "browser:1"
        db.add(row)
    plain, problems = skeleton(text(alice.fragment("/now")))
    assert problems == []
    for given in (*TRICKS, *OWN):
        with db.begin():
            db.get_one(Delivery, row.id).title = clean_text(given)
        page = text(alice.fragment("/now"))
        assert "data-notice" in page
        assert skeleton(page) == (plain, []), given


def test_numbers_keep_their_names(app: Any, db: Any, cast: Any, make_job: Any, make_result: Any):
    """What a job or a queue is called ends no label, and adds no number."""
    job = make_job()
    token = token_of(db, cast["root"])
    for name in TRICKS:
        result = make_result(job, "pending")
        result.class_path, result.queue = clean_text(name), clean_text(name)[:50]
    db.commit()
    db.rollback()
    said = app.test_client().get("/metrics", headers=token).text
    found = {
        (sample.name, sample.labels.get("job") or sample.labels.get("queue"))
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }
    for name in map(clean_text, TRICKS):
        assert ("errand_runs", name) in found
        assert ("errand_queue_waiting_runs", name[:50]) in found
    assert "errand_up" in {name for name, _ in found}


def test_no_path_adds_a_line_to_the_log(app: Any, alice: Browser, caplog: Any, monkeypatch: Any):
    monkeypatch.setitem(app.view_functions, "jobs.index", lambda: 1 / 0)
    for path in ("/jobs/?a=%0aforged", "/nothing%0aforged", "/jobs/%0d%0aforged"):
        alice.get(path)
    with app.test_request_context("/x%0aforged%1b[2J"):
        app.handle_user_exception(ValueError("x"))
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(said) == 2
    assert not [line for line in said if OBEYED & set(line)], said


def test_a_terminal_gets_lines_of_ours_and_nothing_it_obeys(
    settings: Any, db: Any, cast: Any, make_job: Any, make_result: Any, add_entries: Any, monkeypatch: Any
):
    word = clean_text(" ".join(TRICKS))
    # As only another hand could have written it: what Errand stores is clean (see store.text).
    raw = " ".join(TRICKS).replace("\x00", "")
    job = make_job()
    result = make_result(job, "errored")
    for row, names in (
        (job, ("name", "grouping", "description")),
        (result, ("name", "username", "cause", "output")),
    ):
        for name in names:
            setattr(row, name, raw)
    add_entries(result, raw, grouping=word, object_text=raw)
    db.add(RunReport(result_id=result.id, data=Report(Text(raw), title=word).as_data(), pieces=1))
    db.add(AuditRecord(actor=raw[:100], via="page", address="", action="run", subject=raw))
    db.commit()
    number, path = str(result.id), job.class_path
    db.rollback()
    monkeypatch.setattr("webapp.cli.printing.at_a_terminal", lambda: True)
    for arguments, lines in (
        (("results", "list"), 0),
        (("results", "show", number), 0),
        (("results", "report", number), 0),
        (("logs", number), 0),
        (("jobs", "list"), 0),
        (("jobs", "show", path), 0),
        (("audit", "list"), 1),
    ):
        done = CliRunner().invoke(
            main, (*arguments, "--instance", str(settings.instance)), catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        assert obeyed(done.stdout) == set(), (arguments, done.stdout)
        assert "Bcc:" in done.stdout, arguments
        assert not lines or len(done.stdout.splitlines()) == lines, done.stdout
