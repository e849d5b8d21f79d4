"""Files and secrets over the API: as parts of multipart/form-data, and what JSON cannot carry."""

import errno
import io
from collections.abc import Callable

import pytest
from sqlalchemy import select

from store.files import file_store
from store.models import FileChunk, JobResult, RunFile
from tests.api.conftest import described
from tests.multipart import multipart

RUN = "/jobs/local/a/A/run"
MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def job(make_job):
    return make_job(
        "local/a/A",
        variables=[
            described("FileVar", "table", max_bytes=2 * MEGABYTE, accept=[".csv"], required=False),
            described("SecretVar", "password", required=False, min_length=4, max_length=None, regex=None),
            described("StringVar", "note", required=False, min_length=None, max_length=None, regex=None),
        ],
    )


def stored(db) -> list[JobResult]:
    db.rollback()
    return list(db.scalars(select(JobResult)))


def send(call: Callable, **parts):
    return call("POST", RUN, **multipart(**parts))


def test_a_part_may_be_a_file(app, call, db):
    answer = send(call, table=(io.BytesIO(b"a,b\n" * 200_000), "../x/hosts.csv", "text/csv"), note="hello")
    assert answer.status_code == 201
    [result] = stored(db)
    assert result.data["table"] == {"name": "hosts.csv", "size": 800_000, "content_type": "text/csv"}
    assert result.data["note"] == "hello"
    assert answer.json["data"]["table"] == result.data["table"]
    [row] = db.scalars(select(RunFile)).all()
    assert (row.result_id, row.variable, row.size_bytes) == (result.id, "table", 800_000)
    with app.app_context():
        files = file_store(app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine)
        with files.open(row.key) as content:
            assert content.read() == b"a,b\n" * 200_000


@pytest.mark.parametrize(
    ("parts", "errors"),
    [
        (
            {"table": (io.BytesIO(b"x" * (2 * MEGABYTE + 1)), "large.csv")},
            {"table": ["The file is larger than 2 MB, the most that is taken here."]},
        ),
        (
            {"table": (io.BytesIO(b"x"), "hosts.exe")},
            {"table": ["Choose a file of another kind: hosts.exe is not .csv."]},
        ),
        ({"table": "no file"}, {"table": ["Choose a file."]}),
        ({"note": (io.BytesIO(b"x"), "a.csv")}, {"note": ["This does not take a file."]}),
        (
            {"table": [(io.BytesIO(b"x"), "a.csv"), (io.BytesIO(b"y"), "b.csv")]},
            {"table": ["Give this once."]},
        ),
        ({"other": (io.BytesIO(b"x"), "a.csv")}, {"other": ["Job data contained an unknown property"]}),
        ({"password": "abc"}, {"password": ["Ensure this value has at least 4 characters (it has 3)."]}),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_kept(call, db, parts, errors):
    answer = send(call, **parts)
    assert (answer.status_code, answer.json["errors"]) == (422, errors)
    assert stored(db) == []
    assert db.scalars(select(RunFile)).all() == []
    assert db.scalars(select(FileChunk.key)).all() == []


def test_what_a_sender_calls_the_kind_of_a_file_is_cleaned(call, db):
    body = multipart(table=(io.BytesIO(b"a"), "hosts.csv", "text/csv"))
    body["data"] = body["data"].replace(b"text/csv", b"text/c\x00sv")
    assert call("POST", RUN, **body).status_code == 201
    [result] = stored(db)
    assert result.data["table"]["content_type"] == "text/c\N{REPLACEMENT CHARACTER}sv"


def test_a_full_disk_is_said(call, db, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("store.files.DatabaseFiles.put", full)
    answer = send(call, table=(io.BytesIO(b"a"), "hosts.csv"))
    assert (answer.status_code, stored(db)) == (507, [])
    assert answer.json["detail"].startswith("There is no room left for files")


def test_a_part_without_a_name_is_refused(call, db):
    body = "".join(
        f"--x\r\nContent-Disposition: form-data{name}\r\n\r\na\r\n" for name in ("", '; name="note"')
    )
    sent = {"data": f"{body}--x--\r\n".encode(), "content_type": "multipart/form-data; boundary=x"}
    for headers in ({}, {"Idempotency-Key": "k-1"}):
        answer = call("POST", RUN, headers=headers, **sent)
        assert (answer.status_code, answer.json["detail"]) == (400, "A part of the body has no name.")
    assert stored(db) == []


def test_json_carries_no_file(call, db):
    answer = call("POST", RUN, json={"data": {"table": "aGVsbG8="}})
    assert (answer.status_code, answer.json["errors"]) == (422, {"table": ["Choose a file."]})


def test_a_body_larger_than_any_file_may_be_is_refused_before_it_is_read(app, call, db):
    limit = app.extensions["errand"].settings.upload_bytes
    answer = call(
        "POST",
        RUN,
        data=b"",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        environ_overrides={"CONTENT_LENGTH": str(limit + 2 * MEGABYTE)},
    )
    assert answer.status_code == 413
    assert (
        answer.json["detail"]
        == "This is more than is accepted here: the files of a run may have 100 MB together."
    )


@pytest.mark.parametrize("way", ["json", "multipart"])
def test_a_secret_is_taken_and_never_shown(call, db, way):
    if way == "json":
        answer = call("POST", RUN, json={"data": {"password": "s3cr3t-word"}})
    else:
        answer = send(call, password="s3cr3t-word")
    assert answer.status_code == 201
    assert "s3cr3t-word" not in answer.text
    assert "password" not in answer.json["data"]
    assert stored(db)[0].sealed_data


def test_files_that_a_run_has_made_are_listed_and_can_be_had(app, call, calls_of, db, carol, make_result):
    result = make_result()
    other = make_result()
    with app.app_context():
        files = file_store(app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine)
        key = files.put(io.BytesIO(b"<script>alert(1)</script>"))
    db.add(RunFile(key=key, result_id=result.id, name='a "b".html', content_type="text/html", size_bytes=25))
    db.add(RunFile(key="c" * 40, result_id=result.id, variable="table", name="given.csv", size_bytes=25))
    db.commit()
    [shown] = call("GET", f"/results/{result.id}/files").json["results"]
    assert (shown["name"], shown["size"], shown["content_type"]) == ('a "b".html', 25, "text/html")
    answer = call("GET", shown["url"].removeprefix("/api/v1"))
    assert answer.data == b"<script>alert(1)</script>"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Length"] == "25"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    given = db.scalars(select(RunFile).where(RunFile.variable == "table")).one()
    for path in (
        f"/results/{result.id}/files/{given.id}",
        f"/results/{other.id}/files/{shown['id']}",
        f"/results/{result.id}/files/999999999999999999999",
    ):
        assert call("GET", path).status_code == 404
