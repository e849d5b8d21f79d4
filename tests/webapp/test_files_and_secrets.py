"""Files, secrets and widgets in the form of a job, and files on the page of a result."""

import errno
import io
import re

import pytest
from sqlalchemy import select

from store.files import file_store
from store.models import JobResult, RunFile
from tests.multipart import multipart

from .conftest import described, text

URL = "/jobs/local/greetings/Greet/"
MEGABYTE = 1024 * 1024


@pytest.fixture
def job(make_job):
    return make_job(
        variables=[
            described("FileVar", "table", max_bytes=2 * MEGABYTE, accept=[".csv", "text/csv"]),
            described("SecretVar", "password", min_length=4, max_length=None, regex=None),
            described("StringVar", "note", required=False),
        ]
    )


def results(db) -> list[JobResult]:
    with db.begin():
        return list(db.scalars(select(JobResult)))


def post(browser, inputs):
    return browser.client.post(URL, **multipart(csrf_token=browser.token(), **inputs))


def table(content: bytes = b"a,b\n", name: str = "hosts.csv"):
    return io.BytesIO(content), name, "text/csv"


def test_the_form_has_an_input_of_its_own_for_each(alice, job):
    page = text(alice.get(URL))
    assert 'enctype="multipart/form-data"' in page
    assert re.search(
        'type="file" id="id_table" name="v-table" accept=".csv,text/csv" data-most-bytes="2097152"', page
    )
    assert "At most 2 MB." in page
    assert re.search('type="password" id="id_password"[^>]*autocomplete="new-password"', page)


def test_what_is_chosen_and_typed_is_stored(alice, job, db):
    answer = post(alice, {"v-table": table(), "v-password": " s3cr3t ", "v-note": "x"})
    assert answer.status_code == 303
    [result] = results(db)
    assert result.data == {"table": {"name": "hosts.csv", "size": 4, "content_type": "text/csv"}, "note": "x"}
    assert result.sealed_data
    page = text(alice.get(f"/results/{result.id}"))
    assert "hosts.csv (4 bytes)" in page
    assert "Set, 8 characters, fingerprint " in page
    assert "s3cr3t" not in page


def test_a_large_file_is_moved_through_whole(app, alice, job, db):
    content = bytes(range(256)) * 8000
    assert post(alice, {"v-table": table(content), "v-password": "word"}).status_code == 303
    with db.begin():
        key = db.scalars(select(RunFile.key)).one()
    with app.app_context():
        files = file_store(app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine)
        with files.open(key) as stored:
            assert stored.read() == content


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (table(b"x" * (2 * MEGABYTE + 1)), "The file is larger than 2 MB, the most that is taken here."),
        (table(name="a.exe"), None),
        ((io.BytesIO(b"x"), "a.exe", "application/x"), "a.exe is not .csv or text/csv."),
        ((io.BytesIO(b""), "", ""), "This field is required."),
        ("hosts.csv", "Choose a file."),
        ((io.BytesIO(b"x"), "..", "text/csv"), "The file needs a name."),
    ],
)
def test_what_cannot_be_taken_has_its_sentence_and_the_rest_stays(alice, job, db, given, sentence):
    answer = post(alice, {"v-table": given, "v-password": "hunter2", "v-note": "kept"})
    if sentence is None:
        assert answer.status_code == 303
        return
    page = text(answer)
    assert answer.status_code == 422
    assert sentence in page
    assert 'value="kept"' in page
    # What a page must not carry has to be given again, and it says so.
    assert "Type it again." in page
    assert "hunter2" not in page
    assert results(db) == []


def test_a_file_has_to_be_chosen_again_and_the_form_says_so(alice, job, db):
    page = text(post(alice, {"v-table": table(), "v-password": "abc"}))
    assert "Choose the file again." in page
    assert "at least 4 characters" in page


def test_a_body_beyond_all_limits_is_refused_with_a_sentence(alice, job):
    answer = alice.client.post(
        URL,
        data=b"",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(200 * MEGABYTE)},
    )
    assert answer.status_code == 413
    assert "the files of a run may have 100 MB together" in text(answer)


def test_text_of_ten_megabytes_is_refused_with_a_sentence(alice, job):
    answer = post(alice, {"v-note": "x" * 10 * MEGABYTE, "v-password": "word", "v-table": table()})
    assert answer.status_code == 413
    assert "This is more than is accepted here" in text(answer)


def test_a_full_disk_is_said(alice, job, db, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("store.files.DatabaseFiles.put", full)
    answer = post(alice, {"v-table": table(), "v-password": "word"})
    assert (answer.status_code, results(db)) == (507, [])
    assert "There is no room left for files" in text(answer)


def test_a_link_cannot_fill_in_a_secret(alice, job):
    page = text(alice.get(f"{URL}?password=hunter2&table=x&note=hello"))
    assert "hunter2" not in page
    assert 'value="hello"' in page


def test_run_again_asks_for_what_was_not_kept(alice, job, db):
    post(alice, {"v-table": table(), "v-password": "word", "v-note": "again"})
    [result] = results(db)
    with db.begin():
        result = db.merge(result)
        result.status = "completed"
    answer = alice.post(f"/results/{result.id}/rerun")
    assert answer.location == f"{URL}?_from_result={result.id}"
    assert 'value="again"' in text(alice.get(answer.location))


@pytest.mark.parametrize("name", ["_from_result", "kwargs_from_job_result"])
def test_an_earlier_run_fills_in_the_form_and_explicit_values_win(alice, make_job, make_result, name):
    job = make_job(variables=[described("StringVar", "note"), described("StringVar", "other")])
    result = make_result(job, data={"note": "earlier", "other": "kept"}, commit=False)
    page = text(alice.get(f"{URL}?{name}={result.id}&note=later"))
    assert 'value="later"' in page
    assert 'value="kept"' in page
    assert 'value="false" checked' in page


@pytest.mark.parametrize("reference", ["nonsense", "7cf2a9d2-6a40-4f02-a35e-8a1b7a3f1f0e"])
def test_an_earlier_run_that_is_not_there_is_said(alice, job, reference):
    answer = alice.get(f"{URL}?kwargs_from_job_result={reference}&note=typed")
    assert "is not there any more" in text(answer)
    assert 'value="typed"' in text(answer)


WIDGETS = [
    (described("StringVar", "x", widget="textarea"), '<textarea class="in" id="id_x"'),
    (described("TextVar", "x", widget="password"), '<textarea class="in" id="id_x"'),
    (described("StringVar", "x", widget="password", default="typed"), 'type="password" id="id_x"'),
    (described("SecretVar", "x", widget="textarea"), '<textarea class="in" id="id_x"'),
    (
        described("StringVar", "x", widget="hidden", default="z"),
        '<input type="hidden" id="id_x" name="v-x" value="z">',
    ),
    (described("ChoiceVar", "x", choices=[["a", "A"]], widget="select"), '<select class="in" id="id_x"'),
    (
        described("ChoiceVar", "x", choices=[[str(n), str(n)] for n in range(9)], widget="radio"),
        '<input type="radio" name="v-x" value="8">',
    ),
    (
        described("MultiChoiceVar", "x", choices=[[str(n), str(n)] for n in range(20)], widget="checkboxes"),
        '<label class="opt"><input type="checkbox" name="v-x" value="19">',
    ),
    (
        described("MultiChoiceVar", "x", choices=[["a", "A"]], widget="select"),
        '<details class="pick" data-pick>',
    ),
    (described("IntegerVar", "x", widget="radio"), 'type="number"'),
]


@pytest.mark.parametrize(("variable", "shown"), WIDGETS)
def test_a_widget_changes_how_an_input_is_shown(alice, make_job, variable, shown):
    make_job(variables=[variable])
    assert shown in text(alice.get(URL))


def test_a_password_typed_into_a_plain_text_is_not_carried_on_either(alice, make_job):
    make_job(variables=[described("StringVar", "x", widget="password"), described("StringVar", "y")])
    answer = post(alice, {"v-x": "hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in text(answer)
    assert "Type it again." in text(answer)


def test_a_variable_may_have_any_name(alice, make_job, db):
    names = ["process", "data", "validate", "errors", "csrf_token", "submit", "action", "request", "files"]
    make_job(variables=[described("StringVar", name) for name in names])
    assert alice.get(URL).status_code == 200
    assert post(alice, {f"v-{name}": name.upper() for name in names}).status_code == 303
    assert results(db)[0].data == {name: name.upper() for name in names}


def test_the_return_value_has_a_tab_and_can_be_had_whole(alice, make_job, make_result):
    result = make_result(make_job(), return_value={"rows": [["é"] * 50] * 100})
    page = text(alice.get(f"/results/{result.id}"))
    assert '<a href="#return">Return value</a>' in page
    assert "more" in page
    answer = alice.get(f"/results/{result.id}/return-value.json")
    assert answer.json == {"rows": [["é"] * 50] * 100}
    assert "return-value.json" in answer.headers["Content-Disposition"]


def test_the_files_a_run_has_made_are_on_its_page_and_can_be_had(
    app, alice, stranger, make_job, make_result, db
):
    result = make_result(make_job())
    with app.app_context():
        files = file_store(app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine)
        key = files.put(io.BytesIO(b"<script>"))
    with db.begin():
        db.add(RunFile(key=key, result_id=result.id, name="<b>.html", content_type="text/html", size_bytes=8))
    page = text(alice.get(f"/results/{result.id}"))
    [url] = re.findall(rf"/results/{result.id}/files/\d+", page)
    assert "&lt;b&gt;.html" in page
    assert '<a href="#files">Files <span class="n">1</span></a>' in page
    answer = alice.get(url)
    assert answer.data == b"<script>"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert stranger.get(url).status_code == 303
    assert alice.get(f"{url}99").status_code == 404
