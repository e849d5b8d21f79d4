"""`POST /jobs/.../run`: what is taken, what is refused, and that nothing breaks."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from store.models import JobResult
from tests.api.test_results import RESULT_KEYS

RUN = "/jobs/local/hello/Hello/run"
JSON = "application/json"


def stored(db) -> list[JobResult]:
    db.rollback()
    return list(db.scalars(select(JobResult)))


def run(call, body: Any, **more: Any):
    return call("POST", RUN, json=body, **more)


@pytest.mark.parametrize("by", ["id", "class_path"])
def test_run_stores_a_result_and_says_where_it_is(call, db, hello, by):
    answer = call("POST", f"/jobs/{getattr(hello, by)}/run", json={"data": {"text": "x"}})
    assert answer.status_code == 201
    assert set(answer.json) == RESULT_KEYS
    [result] = stored(db)
    assert answer.json["id"] == str(result.id)
    assert answer.json["url"] == f"/results/{result.id}"
    assert answer.json["status"] == "pending"
    assert answer.headers["Location"] == f"/api/v1/results/{result.id}"
    assert call("GET", f"/results/{result.id}").json == answer.json
    assert result.username == "alice"
    assert result.data == {"text": "x", "number": None, "flag": True, "colour": "", "colours": []}


def test_run_takes_every_kind_of_value(call, db, hello):
    data = {"text": "é 🎉", "number": 7, "flag": False, "colour": "r", "colours": ["r", "g"]}
    assert run(call, {"data": data, "commit": False, "queue": None}).status_code == 201
    assert stored(db)[0].data == data


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("body", [{}, {"commit": None}])
def test_commit_left_out_is_the_jobs_own_default(call, db, make_job, body, default):
    make_job("local/a/A", commit_default=default)
    assert call("POST", "/jobs/local/a/A/run", json=body).json["commit"] is default


@pytest.mark.parametrize("commit", [True, False])
def test_commit_is_as_the_caller_says(call, make_job, commit):
    make_job("local/a/A", commit_default=not commit)
    assert call("POST", "/jobs/local/a/A/run", json={"commit": commit}).json["commit"] is commit


def test_a_read_only_job_never_commits(call, make_job):
    make_job("local/a/A", read_only=True)
    assert call("POST", "/jobs/local/a/A/run", json={"commit": True}).json["commit"] is False


def test_a_job_of_the_second_dialect_always_commits(call, make_job):
    make_job("local/a/A", dialect="2")
    for body in ({}, {"commit": True}, {"commit": None}):
        assert call("POST", "/jobs/local/a/A/run", json=body).json["commit"] is True
    refused = call("POST", "/jobs/local/a/A/run", json={"commit": False})
    assert refused.status_code == 422
    assert refused.json["errors"] == {"_commit": ["This job always saves what it changes."]}


def test_the_queue_is_one_of_the_jobs(call, make_job):
    make_job("local/a/A", queues=["slow", "fast"])
    assert call("POST", "/jobs/local/a/A/run", json={}).json["queue"] == "slow"
    assert call("POST", "/jobs/local/a/A/run", json={"queue": "fast"}).json["queue"] == "fast"
    assert call("POST", "/jobs/local/a/A/run", json={"queue": "default"}).status_code == 422


def test_a_job_without_variables_needs_no_body(call, plain):
    assert call("POST", "/jobs/local/plain/Plain/run").status_code == 201


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({}, {"text": ["This field is required."]}),
        ({"text": None}, {"text": ["text is a required field"]}),
        ({"text": "x", "more": 1}, {"more": ["Job data contained an unknown property"]}),
        ({"text": "x", "_commit": True}, {"_commit": ["Job data contained an unknown property"]}),
        ({"text": "x", "number": -1}, {"number": ["Ensure this value is greater than or equal to 0."]}),
        ({"text": "x", "number": "seven"}, {"number": ["Enter a whole number."]}),
        ({"text": "x", "number": 1.5}, {"number": ["Enter a whole number."]}),
        ({"text": "x", "number": True}, {"number": ["Enter a whole number."]}),
        ({"text": {}}, {"text": ["Enter text."]}),
    ],
)
def test_data_that_does_not_fit_is_named_and_nothing_is_stored(call, db, hello, data, errors):
    answer = run(call, {"data": data})
    assert (answer.status_code, answer.json["errors"]) == (422, errors)
    assert stored(db) == []


def test_all_that_does_not_fit_is_named_at_once(call, hello):
    answer = run(call, {"data": {"number": {}, "flag": "perhaps", "colour": "b", "colours": "r", "x": 1}})
    assert set(answer.json["errors"]) == {"text", "number", "flag", "colour", "colours", "x"}


@pytest.mark.parametrize("body", [[], "text", 1, None, True, [{"data": {}}]])
def test_a_body_that_is_no_object_is_refused(call, db, hello, body):
    answer = call("POST", RUN, data=json.dumps(body), content_type=JSON)
    assert (answer.status_code, answer.json["detail"]) == (422, "The body needs to be a JSON object.")
    assert stored(db) == []


@pytest.mark.parametrize("data", [[], "text", 1, None, False, [["text", "x"]]])
def test_data_that_is_no_object_is_refused(call, db, hello, data):
    answer = run(call, {"data": data})
    assert (answer.status_code, answer.json["detail"]) == (422, "Job data needs to be a dict")
    assert stored(db) == []


@pytest.mark.parametrize(
    "name", ["user", "status", "username", "id", "_commit", "_queue", "Data", "", "\ud800"]
)
def test_unknown_keys_of_the_body_are_refused_by_name(call, db, hello, name):
    answer = run(call, {"data": {"text": "x"}, name: "root"})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [name]
    assert stored(db) == []


@pytest.mark.parametrize("commit", ["true", "", 0, 1, [], {}, "nonsense", 1.0])
def test_a_commit_that_is_neither_true_nor_false_is_refused(call, db, hello, commit):
    answer = run(call, {"data": {"text": "x"}, "commit": commit})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["_commit"])
    assert stored(db) == []


@pytest.mark.parametrize("queue", [1, [], {}, True, "no-such-queue", "default\x00", "\ud800"])
def test_a_queue_that_is_none_of_the_jobs_is_refused(call, db, hello, queue):
    answer = run(call, {"data": {"text": "x"}, "queue": queue})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["_queue"])
    assert stored(db) == []


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "Expecting value (line 1, column 1)"),
        (b"{", "line 1, column 2"),
        (b'{"data": {},}', "line 1"),
        (b'{"data":\n{"text" "x"}}', "line 2, column 9"),
        (b"{'data': {}}", "line 1, column 2"),
        (b'{"data": {"text": "\x01"}}', "control character"),
        (b'{"data": {"number": NaN}}', "NaN"),
        (b'{"data": {"number": Infinity}}', "Infinity"),
        (b'{"data": {"number": -Infinity}}', "-Infinity"),
        (b'{"data": {"number": 1e999}}', "too large"),
        (b'{"data": {"number": -1e999}}', "too large"),
        (b'{"data": {"number": ' + b"9" * 5000 + b"}}", "too long"),
        (b'{"data": {}, "data": {"text": "x"}}', "'data' appears twice"),
        (b'{"data": {"text": "x", "text": "y"}}', "'text' appears twice"),
        (b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b',"x":0,"x":0}', "'x' appears twice"),
        (b"[" * 10_000, "nested"),
        (b"[" * 10_000 + b"]" * 10_000, "nested"),
        (b'{"data": {"text": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_002, "nested"),
        (b'{"data": {"text": ' + b"[" * 70 + b"]" * 70 + b"}}", "nested"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"data": {"text": "\xed\xa0\x80"}}', "UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else "",
)
def test_json_that_cannot_be_read_is_a_400_that_says_where(call, db, hello, body, part):
    answer = call("POST", RUN, data=body, content_type=JSON)
    assert answer.status_code == 400
    assert part in answer.json["detail"]
    assert stored(db) == []


@pytest.mark.parametrize(
    "value",
    [
        "\x00",
        "a\x00b",
        "\ud800",
        "a\udfff",
        10**300,
        -(10**300),
        1e300,
        2**64,
        "9" * 5000,
        [[]],
        {"a": {}},
        [None],
        ["\x00"],
        True,
        {"\x00": 1},
    ],
)
@pytest.mark.parametrize("name", ["number", "flag", "colour", "colours"])
def test_hostile_values_are_refused_by_the_variable_they_are_for(call, db, hello, name, value):
    answer = run(call, {"data": {"text": "x", name: value}})
    if (name, value) == ("flag", True) or (name, value) == ("colours", [None]):
        assert answer.status_code == 201
        return
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    assert stored(db) == []


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", "a\udfff", [], {}, ["x"], True])
def test_hostile_texts_are_refused(call, db, hello, value):
    answer = run(call, {"data": {"text": value}})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["text"])
    assert stored(db) == []


@pytest.mark.parametrize("name", ["\x00", "\ud800", "", "x" * 10_000, "__proto__", "data"])
def test_hostile_names_are_refused_by_name(call, db, hello, name):
    answer = run(call, {"data": {"text": "x", name: 1}})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    assert stored(db) == []


def test_what_was_typed_comes_back_as_it_was(call, hello):
    text = "<script>alert(1)</script> {{7*7}} \u202e \x1b[31m ' OR 1=1 --"
    assert run(call, {"data": {"text": text}}).json["data"]["text"] == text


@pytest.mark.parametrize("content_type", [JSON, "multipart/form-data; boundary=b"])
def test_a_body_of_more_than_a_mebibyte_is_a_413(call, db, hello, content_type):
    body = b'{"data": {"text": "' + b"x" * 1024 * 1024 + b'"}}'
    answer = call("POST", RUN, data=body, content_type=content_type)
    assert answer.status_code == 413
    assert "detail" in answer.json
    assert stored(db) == []


def test_a_body_of_more_than_a_mebibyte_is_never_cut_off_and_taken_for_whole(call, db, hello):
    body = b'{"data": {"text": "x"}}'.ljust(1024 * 1024) + b"and more"
    stream = {"input_stream": io.BytesIO(body), "environ_overrides": {"wsgi.input_terminated": True}}
    assert call("POST", RUN, content_type=JSON, **stream).status_code == 413
    assert stored(db) == []


def test_a_body_of_exactly_a_mebibyte_is_taken(call, hello):
    body = b'{"data": {"text": "x"}}'.ljust(1024 * 1024)
    assert call("POST", RUN, data=body, content_type=JSON).status_code == 201


def test_a_part_of_more_than_a_mebibyte_is_a_413_too_when_nobody_said_how_long_the_body_is(
    app, call, db, hello
):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
        + b"x" * (1024 * 1024 + 1)
        + b"\r\n--b--\r\n"
    )
    answer = call(
        "POST",
        RUN,
        input_stream=io.BytesIO(body),
        content_type="multipart/form-data; boundary=b",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413
    assert stored(db) == []


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense", ""]
)
def test_another_kind_of_body_is_a_415(call, db, hello, content_type):
    answer = call("POST", RUN, data=b'{"data": {"text": "x"}}', content_type=content_type)
    assert answer.status_code == 415
    assert "application/json" in answer.json["detail"]
    assert stored(db) == []


@pytest.mark.parametrize(
    "reference", ["local/none/None", "none", "local/hello/hello", "local/hello/Hello%00"]
)
def test_an_unknown_job_is_a_404(call, db, hello, reference):
    assert call("POST", f"/jobs/{reference}/run", json={"data": {"text": "x"}}).status_code == 404
    assert stored(db) == []


def test_a_job_that_is_not_enabled_is_not_there_and_not_even_superusers_run_it(
    call, call_as_root, db, make_job
):
    make_job("local/a/A", enabled=False)
    make_job("local/b/B", installed=False)
    assert call("POST", "/jobs/local/a/A/run", json={}).status_code == 404
    for path in ("local/a/A", "local/b/B"):
        answer = call_as_root("POST", f"/jobs/{path}/run", json={})
        assert (answer.status_code, answer.json["status"]) == (403, 403)
    assert stored(db) == []


@pytest.fixture
def write_meanwhile(db, plain) -> Callable[[], None]:
    """Write to the database, as others do while a request is on its way."""

    def write() -> None:
        plain.description += "!"
        db.commit()

    return write


@pytest.mark.parametrize("kind", ["json", "parts"])
def test_a_slow_body_keeps_nobody_from_writing(call, hello, plain, write_meanwhile, kind):
    body, content_type = b'{"data": {"text": "x"}}', JSON
    if kind == "parts":
        body = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nx\r\n--b--\r\n'
        content_type = "multipart/form-data; boundary=b"

    class Slow(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            write_meanwhile()
            return super().readinto(buffer)

        def read(self, size: int | None = -1) -> bytes:
            write_meanwhile()
            return super().read(size)

    stream = {"input_stream": Slow(body), "content_length": len(body), "content_type": content_type}
    assert call("POST", RUN, **stream).status_code == 201
    assert plain.description


def test_a_slow_check_of_the_data_keeps_nobody_from_writing(call, hello, plain, write_meanwhile, monkeypatch):
    from jobs.data import clean

    def slow_clean(*arguments: Any, **more: Any) -> Any:
        write_meanwhile()
        return clean(*arguments, **more)

    monkeypatch.setattr("worker.asked.clean", slow_clean)
    assert run(call, {"data": {"text": "x"}}).status_code == 201
    assert plain.description


# --- multipart/form-data ---


def parts(call, data: dict[str, Any], **more: Any):
    return call("POST", RUN, data=data, content_type="multipart/form-data", **more)


def test_parts_are_a_run_with_one_part_a_variable(call, db, hello):
    data = {
        "text": " x ",
        "number": "7",
        "flag": "false",
        "colour": "g",
        "colours": ["r", "g"],
        "_commit": "false",
        "_queue": "",
    }
    answer = parts(call, data)
    assert answer.status_code == 201
    [result] = stored(db)
    assert result.data == {"text": "x", "number": 7, "flag": False, "colour": "g", "colours": ["r", "g"]}
    assert (result.commit, result.queue) == (False, "default")


def test_a_part_left_out_takes_its_default_as_in_json(call, db, hello):
    assert parts(call, {"text": "x"}).status_code == 201
    assert stored(db)[0].data["flag"] is True


def test_text_stays_text_whatever_it_looks_like(call, db, hello):
    assert parts(call, {"text": '{"a": 1}'}).status_code == 201
    assert stored(db)[0].data["text"] == '{"a": 1}'


def test_a_list_may_be_one_part_of_json(call, db, hello):
    assert parts(call, {"text": "x", "colours": '["r", "g"]'}).status_code == 201
    assert stored(db)[0].data["colours"] == ["r", "g"]


def test_a_list_of_one_is_a_list(call, db, hello):
    assert parts(call, {"text": "x", "colours": "g"}).status_code == 201
    assert stored(db)[0].data["colours"] == ["g"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"text": ["x", "y"]}, "text"),
        ({"text": "x", "number": ["1", "1"]}, "number"),
        ({"text": "x", "number": "seven"}, "number"),
        ({"text": "x", "number": "[[[["}, "number"),
        ({"text": "x", "colours": "[" * 10_000}, "colours"),
        ({"text": "x", "colours": '[["r"]]'}, "colours"),
        ({"text": "x", "colours": "[NaN]"}, "colours"),
        ({"text": "x", "flag": "perhaps"}, "flag"),
        ({"text": "x", "more": "1"}, "more"),
        ({"text": "x", "more": ["1", "2"]}, "more"),
        ({"text": "x", "data": "{}"}, "data"),
        ({"text": "x", "_commit": "perhaps"}, "_commit"),
        ({"text": "x", "_commit": "TRUE"}, "_commit"),
        ({"text": "x", "_commit": ""}, "_commit"),
        ({"text": "x", "_commit": ["true", "true"]}, "_commit"),
        ({"text": "x", "_queue": "no-such-queue"}, "_queue"),
        ({"text": "x", "_queue": ["default", "default"]}, "_queue"),
        ({"text": "a\x00b"}, "text"),
        ({"text": "x", "status": "completed"}, "status"),
        ({"text": (io.BytesIO(b"x"), "x.txt")}, "text"),
        ({"text": "x", "number": (io.BytesIO(b"7"), "x.txt")}, "number"),
        ({"text": "x", "_commit": (io.BytesIO(b"true"), "x.txt")}, "_commit"),
    ],
)
def test_parts_that_do_not_fit_are_named_and_nothing_is_stored(call, db, hello, data, name):
    answer = parts(call, data)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    assert stored(db) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--b--\r\n", "multipart/form-data"),
        (b"nonsense", "multipart/form-data; boundary=b"),
        (b"", "multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nx', "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="te', "multipart/form-data; boundary=b"),
    ],
)
def test_parts_that_cannot_be_read_are_never_taken_for_no_parts(call, db, plain, body, content_type):
    # Not `data=`: the client would make parts of its own of an empty body.
    stream = {"input_stream": io.BytesIO(body), "content_length": len(body), "content_type": content_type}
    answer = call("POST", "/jobs/local/plain/Plain/run", **stream)
    assert answer.status_code == 400
    assert "detail" in answer.json
    assert stored(db) == []


def test_a_part_that_is_not_utf8_never_breaks_anything(call, hello):
    body = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\r\n--b--\r\n'
    assert call("POST", RUN, data=body, content_type="multipart/form-data; boundary=b").status_code in (
        201,
        400,
        422,
    )


def test_too_many_parts_are_a_413(call, db, hello):
    assert parts(call, {"text": "x", "colours": ["r"] * 2000}).status_code == 413
    assert stored(db) == []


# --- the same request again --------------------------------------------------------------------------------------


def test_a_repeated_request_gets_the_first_run(call, db, plain):
    headers = {"Idempotency-Key": "3f1c"}
    first = call("POST", "/jobs/local/plain/Plain/run", json={}, headers=headers)
    again = call("POST", "/jobs/local/plain/Plain/run", json={}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert len(stored(db)) == 1


def test_a_key_that_was_used_for_something_else_is_refused(call, hello, plain):
    headers = {"Idempotency-Key": "3f1c"}
    call("POST", "/jobs/local/plain/Plain/run", json={}, headers=headers)
    answer = call("POST", "/jobs/local/hello/Hello/run", json={"data": {"text": "x"}}, headers=headers)
    assert answer.status_code == 409
    assert list(answer.json["errors"]) == ["_idempotency_key"]


def test_an_empty_key_is_refused(call, plain):
    answer = call("POST", "/jobs/local/plain/Plain/run", json={}, headers={"Idempotency-Key": ""})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["_idempotency_key"])
