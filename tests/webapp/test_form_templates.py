"""What a job's form template puts around its form, and what of it never reaches a page."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from store.models import JobRecord, LoadError
from store.settings import Settings, load_settings
from tests.conftest import load_fixture_jobs
from tests.seeds.conftest import DOCUMENTS, seed
from worker import freshness
from worker.form_templates import MOST_HTML, kept_template
from worker.refresh import RefreshReport, refresh

from .conftest import Browser, running, signed_in, text

URL = "/jobs/local/forming/Forming/"
EDITED = "/jobs/local/edited/Edited/"
JOB = """
from jobs import Job, StringVar

class Edited(Job):
    who = StringVar()

    class Meta:
        template_name = "form.html"

    def run(self, who):
        pass
"""
EXTENDS = '{% extends "extras/job.html" %}'


def in_content(html: str) -> str:
    return f"{EXTENDS}{{% block content %}}{html}{{% endblock %}}"


# --- The fixture's form ---------------------------------------------------------------------------------------


@pytest.fixture
def fixture_jobs(db: Any, settings: Settings) -> None:
    load_fixture_jobs(db, settings)


def address(page: str, kind: str) -> str:
    [found] = re.findall(rf'(?:href|src)="({URL}form\.{kind}\?v=\w+)"', page)
    return str(found)


@pytest.mark.usefixtures("fixture_jobs")
def test_html_stands_around_the_form_and_style_and_script_are_files(alice: Browser):
    page = text(alice.get(URL))
    above, form, below = (page.index(each) for each in ('id="hint"', "data-run-form", 'id="said"'))
    assert above < form < below
    assert "Outside" not in page
    assert "Read <b>Forming &amp; co</b> first" in page
    for active in ("onclick", "style=", "<style", 'hx-get="/jobs/"', "id_size').value", "{{", "{%"):
        assert active not in page
    assert page.count("<script") == page.count("<script src=")


@pytest.mark.usefixtures("fixture_jobs")
@pytest.mark.parametrize(("kind", "type_", "holds"), [
    ("css", "text/css; charset=utf-8", ["@scope (.asked) {", ".hint { color", "letter-spacing"]),
    ("js", "text/javascript; charset=utf-8", ['addEventListener("input", say)', 'getElementById("id_size")']),
])  # fmt: skip
def test_style_and_script_are_served_as_what_they_are(
    alice: Browser, kind: str, type_: str, holds: list[str]
):
    url = address(text(alice.get(URL)), kind)
    answer = alice.get(url)
    assert answer.content_type == type_
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert all(each in text(answer) for each in holds)
    assert alice.get(url[:-1] + "x").headers["Cache-Control"] == "no-cache"


@pytest.mark.usefixtures("fixture_jobs")
@pytest.mark.parametrize("kind", ["css", "js"])
def test_they_are_for_those_who_may_see_the_form(
    alice: Browser, root: Browser, stranger: Browser, db: Any, kind: str
):
    assert stranger.get(f"{URL}form.{kind}").status_code == 303
    assert alice.get(f"{URL}form.{kind}").status_code == 200
    db.execute(update(JobRecord).values(enabled=False))
    db.commit()
    assert alice.get(f"{URL}form.{kind}").status_code == 404
    assert root.get(f"{URL}form.{kind}").status_code == 200


@pytest.mark.usefixtures("fixture_jobs")
def test_a_form_without_them_has_none(alice: Browser):
    url = "/jobs/local/forming/Formless/"
    assert alice.get(f"{url}form.css").status_code == 404
    assert alice.get(f"{url}form.js").status_code == 404
    assert "form.css" not in text(alice.get(url))


@pytest.mark.usefixtures("fixture_jobs")
def test_a_refused_form_keeps_what_stands_around_it(alice: Browser):
    answer = alice.post(URL, {"v-var1": "ab"})
    page = text(answer)
    assert answer.status_code == 422
    assert 'id="hint"' in page
    assert address(page, "js")
    assert 'id="id_var1" name="v-var1" value="ab"' in page


@pytest.mark.usefixtures("fixture_jobs")
@pytest.mark.parametrize(("name", "said"), [
    ("Formless", "forms/nothing_there.html: there is no such file in the folder of the job."),
    ("Malformed", "forms/malformed.html: line 4: {% include &#34;/etc/passwd&#34; %} is not known here."),
])  # fmt: skip
def test_a_template_that_cannot_be_used_is_told_above_the_plain_form(
    alice: Browser, db: Any, name: str, said: str
):
    page = text(alice.get(f"/jobs/local/forming/{name}/"))
    assert said in page
    assert "So this is the plain form." in page
    assert "data-run-form" in page
    assert "root:" not in page
    with db.begin():
        assert db.scalars(select(LoadError).where(LoadError.module == "forming")).all() == []


# --- A form that is edited ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "edited.py").write_text(JOB)
    return tmp_path / "jobs"


@pytest.fixture
def edited_settings(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("JOBS_ROOT", str(folder))
    return load_settings(settings.instance)


@pytest.fixture
def found(edited_settings: Settings, db: Any) -> Callable[[], RefreshReport]:
    return lambda: refresh(db, edited_settings, enable_new=True)


@pytest.fixture
def page_of(edited_settings: Settings, db: Any, cast: Any) -> Iterator[Callable[[], str]]:
    refresh(db, edited_settings, enable_new=True)
    with contextmanager(running)(edited_settings) as app:
        alice = signed_in(app, db, cast["alice"])
        yield lambda: text(alice.get(EDITED))


def test_an_edited_template_counts_at_the_next_form(page_of: Callable[[], str], folder: Path):
    assert "there is no such file" in page_of()
    template = folder / "form.html"
    template.write_text(in_content("<p>First</p>"))
    page = page_of()
    assert "<p>First</p>" in page
    assert "there is no such file" not in page
    template.write_text(in_content("<p>Second</p><script src=a.js></script>"))
    page = page_of()
    assert "<p>Second</p>" in page
    assert "line 1: a.js is left out" in page
    (folder / "a.js").write_text("a()")
    page = page_of()
    assert "left out" not in page
    assert "form.js?v=" in page
    before = re.findall(r"form\.js\?v=\w+", page)
    (folder / "a.js").write_text("other()")
    assert re.findall(r"form\.js\?v=\w+", page_of()) != before
    template.unlink()
    assert "there is no such file" in page_of()


def test_an_edited_template_of_a_job_that_cannot_be_loaded_is_tried_once(
    page_of: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    tried: list[Any] = []
    real = freshness.refresh_module
    monkeypatch.setattr(freshness, "refresh_module", lambda *given: (tried.append(given), real(*given))[1])
    (folder / "edited.py").write_text("import nothing_like_this\n")
    for _ in range(2):
        assert "cannot be loaded now" in page_of()
    (folder / "form.html").write_text(in_content("<p>x</p>"))
    for _ in range(2):
        assert "cannot be loaded now" in page_of()
    assert len(tried) == 2


def test_a_job_that_no_longer_names_a_template_has_the_plain_form(page_of: Callable[[], str], folder: Path):
    (folder / "form.html").write_text(in_content("<p>Around</p>"))
    assert "<p>Around</p>" in page_of()
    (folder / "edited.py").write_text(JOB.replace("form.html", ""))
    assert "Around" not in page_of()


# --- The one that Nautobot's document prints ---


def printed() -> str:
    """Return the only HTML that the document prints."""
    [template] = re.findall(r"^```html\n(.*?)^```$", seed(DOCUMENTS["1_5"]), re.MULTILINE | re.DOTALL)
    return str(template)


def test_the_printed_template_gives_the_plain_form(page_of: Callable[[], str], folder: Path):
    (folder / "form.html").write_text(printed())
    page = page_of()
    assert "data-run-form" in page
    for other in ("template", "left out", "Add additional", "form.css", "form.js"):
        assert other not in page


def test_what_is_put_in_the_places_it_names_is_there(page_of: Callable[[], str], folder: Path):
    places = iter(["<style>p { color: red }</style>", "<p>Mine</p>", "<script>mine()</script>"])
    filled = re.sub(r"<!--.*?-->", lambda _: next(places), printed())
    assert list(places) == [], "it has a place for each"
    (folder / "form.html").write_text(filled)
    page = page_of()
    assert page.index("data-run-form") < page.index("<p>Mine</p>")
    assert "form.css?v=" in page
    assert "form.js?v=" in page


# --- Hostile ones ---------------------------------------------------------------------------------------------

HOSTILE = [
    ("<b onclick='x()'>b</b>", "onclick"),
    ("<a href='javascript:x()'>b</a>", "javascript:"),
    ("<a href=' java\nscript:x()'>b</a>", 'href=" java'),
    ("<p style='position:fixed'>x</p>", "style="),
    ("<p hx-get='/logout' data-hx-post='/x'>x</p>", "hx-get=\"/logout"),
    ("<form action='/logout' method=post><input name=x></form>", "<form action"),
    ("<iframe src='/'></iframe>", "<iframe"),
    ("<img src=x onerror=x()>", "<img"),
    ("<meta http-equiv=refresh content='0;url=https://evil.example'>", "<meta http-equiv"),
    ("<base href='https://evil.example/'>", "<base"),
    ("<svg><script>x()</script></svg>", "<svg><"),
    ("<scr<script></script>ipt>x()</scr<script></script>ipt>", "<script>x()"),
    ("<button form=stars formaction='/x'>x</button>", "<button form=stars"),
    ("</div></main><p>x</p>", "</main><p>"),
    ("<div><div><div>", "<div><div><div><form"),
    ("<!-- <img src=x> --><plaintext>", "<plaintext"),
    ("<textarea>", "<textarea>"),
    ("&#60;script&#62;x()&#60;/script&#62;", "<script>x()"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "active"), HOSTILE)
def test_nothing_active_reaches_the_page(page_of: Callable[[], str], folder: Path, html: str, active: str):
    (folder / "form.html").write_text(in_content(f"{html}{{{{ block.super }}}}<p>end</p>"))
    page = page_of()
    assert active not in page
    assert "<p>end</p>" in page
    assert page.index("data-run-form") < page.index("<p>end</p>") < page.index("About this job")


@pytest.mark.parametrize(
    "content", [b"{% extends", b"\xff", b"x" * 10_000_000, b"{%" * 120_000, b"<script " * 30_000]
)
def test_no_template_keeps_another_job_from_being_found(found: Any, folder: Path, content: bytes, db: Any):
    (folder / "form.html").write_bytes(content)
    (folder / "other.py").write_text("from jobs import Job\nclass Other(Job): pass\n")
    report = found()
    assert (report.jobs, report.errors) == (2, [])
    assert report.notes[0].startswith("The form of local/edited/Edited is the plain one: form.html: ")


@pytest.mark.parametrize(("html", "said"), [
    ("<p>" + "x" * MOST_HTML, "form.html: its HTML is longer than"),
    ("<div>" * 60, "more than 50 deep"),
    ("<b></i>" * 60, "more than 50 deep"),
])  # fmt: skip
def test_html_that_would_take_long_is_refused(page_of: Callable[[], str], folder: Path, html: str, said: str):
    (folder / "form.html").write_text(in_content(html))
    page = page_of()
    assert said in page
    assert "data-run-form" in page


# --- Whose scripts are run ------------------------------------------------------------------------------------

DESCRIBED = {
    "name": "form.html",
    "before": '<p id="a" class="b">x</p>',
    "after": "",
    "css": "p{}",
    "js": "go()",
    "notes": [],
    "error": "",
}


@pytest.mark.parametrize("source", ["local", "plugins"])
def test_scripts_are_run_where_the_operator_put_the_files(source: str):
    assert kept_template(DESCRIBED, source) == DESCRIBED


@pytest.mark.parametrize("source", ["git.someone", "", "local2"])
def test_scripts_of_other_sources_are_not_kept_and_that_is_said(source: str):
    kept = kept_template(DESCRIBED, source)
    assert (kept["before"], kept["css"], kept["js"]) == ("<p>x</p>", "", "")
    assert [note[:40] for note in kept["notes"]] == [
        "This form brings a script, which is not ",
        "This form brings a style, which is not u",
    ]


def test_html_is_sanitized_whatever_discovery_says():
    kept = kept_template({**DESCRIBED, "after": "<script>x()</script>"}, "local")
    assert kept["after"] == "&lt;script&gt;x()&lt;/script&gt;"
