"""Data files on their pages, by the API and at the shell."""

import io
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from store.data_files import Folder
from store.models import ApiToken, AuditRecord, DataFile, Permission, User
from store.secrets import new_token
from store.settings import Settings
from tests.multipart import multipart
from webapp.cli import main

from .conftest import Browser, described, text


def upload(browser: Browser, path: str, content: bytes | None, called: str = "a.lst", **more: str) -> Any:
    sent = {} if content is None else {"file": (io.BytesIO(content), called, "text/plain")}
    return browser.client.post(path, **multipart(csrf_token=browser.token(), **sent, **more))


def test_pages(root: Browser, alice: Browser, db: Any, settings: Settings, make_job: Any, make_schedule: Any):
    assert "There are no data files yet" in text(root.get("/data-files/"))
    assert upload(root, "/data-files/new", b"# Hosts <b>\n<i>a</i>\nb\n").location == "/data-files/a.lst"
    # What was wrong is said where it was typed, and what was typed is still there.
    for content, called, name, said in (
        (None, "", "x.lst", "Choose a file."),
        (b"1", "a.lst", "", "There is a data file a.lst already."),
        (b"1", "a.csv", "", "ends with .dat"),
        (b"1", "a.lst", "../b.lst", "none of the characters"),
        (b"\x00", "c.lst", "", "not printable"),
    ):
        answer = upload(root, "/data-files/new", content, called, name=name)
        assert answer.status_code == 422
        assert said in text(answer), said
        assert f'value="{name}"' in text(answer)
    job = make_job(variables=[described("DataFileVar", "hosts")])
    make_schedule(job, name="Each night", username="alice", data={"hosts": "a.lst"})
    page = text(alice.get("/data-files/a.lst"))
    assert "Hosts &lt;b&gt;" in page
    assert "&lt;i&gt;a&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "Each night" in page
    assert "Greet" in page
    assert "/replace" not in page
    saved = alice.get("/data-files/a.lst/content")
    assert saved.data == b"# Hosts <b>\n<i>a</i>\nb\n"
    assert "attachment" in saved.headers["Content-Disposition"]
    assert "a.lst" in text(alice.get("/data-files/?q=hosts"))
    assert "No data file fits" in text(alice.get("/data-files/?q=zzz"))
    assert '<option value="a.lst">a.lst</option>' in text(alice.get("/jobs/local/greetings/Greet/"))

    with db.begin():
        row = db.scalars(select(DataFile)).one()
        digest = row.digest
    old = upload(root, "/data-files/a.lst/replace", b"new\n", digest="0" * 64)
    assert old.status_code == 422
    assert "Somebody has changed a.lst meanwhile" in text(old)
    assert f'value="{digest}"' in text(old)
    assert upload(root, "/data-files/a.lst/replace", b"new\n", digest=digest).status_code == 303
    assert "Each night" in text(root.get("/data-files/a.lst/delete"))
    assert root.post("/data-files/a.lst/delete", {"digest": digest}).location == "/data-files/a.lst"
    assert "Somebody has changed" in text(root.get("/data-files/a.lst"))
    assert root.post("/data-files/a.lst/delete").location == "/data-files/"
    assert not (settings.data_files / "a.lst").exists()
    with db.begin():
        said = [(r.actor, r.action) for r in db.scalars(select(AuditRecord)) if r.subject == "a.lst"]
    assert said == [("root", f"data-file.{act}") for act in ("add", "replace", "delete")]
    (settings.data_files / "put.bin").write_bytes(b"x")
    assert "put.bin" in text(root.get("/data-files/"))
    assert "put.bin" not in text(alice.get("/data-files/"))


@pytest.fixture
def call(app: Flask, db: Any, cast: Any) -> Any:
    tokens = {}
    for name in ("alice", "root"):
        tokens[name], token_hash = new_token("errand")
        db.add(ApiToken(user_id=cast[name].id, prefix=tokens[name][:12], token_hash=token_hash))
    db.commit()

    def call(user: str, method: str, path: str = "", **more: Any) -> Any:
        headers = {"Authorization": f"Token {tokens[user]}", **more.pop("headers", {})}
        return app.test_client().open(f"/api/v1/data-files{path}", method=method, headers=headers, **more)

    return call


def part(content: bytes, called: str = "a.lst") -> tuple[io.BytesIO, str, str]:
    return io.BytesIO(content), called, "text/plain"


def test_api(call: Any, db: Any, settings: Settings):
    with db.begin():
        alice = db.scalars(select(User).where(User.username == "alice")).one()
        only = [{"name": "team-*"}]
        db.add(Permission(name="T", kind="datafile", actions=["add"], constraints=only, users=[alice]))
    made = call("alice", "POST", **multipart(file=part(b"# Mine\n1\n"), name="team-a.lst"))
    assert made.status_code == 201
    assert made.location.endswith("/api/v1/data-files/team-a.lst")
    assert (made.json["entries"], made.json["description"], made.json["user"]) == (1, "Mine", "alice")
    assert call("alice", "POST", **multipart(file=part(b"1\n", "other.lst"))).status_code == 403
    assert call("root", "POST", **multipart(file=part(b"1\n2\n", "b.lst"))).status_code == 201
    twice = call("root", "POST", **multipart(file=part(b"1\n", "b.lst")))
    assert (twice.status_code, twice.json["errors"]) == (
        422,
        {"name": ["There is a data file b.lst already."]},
    )
    for body, field in (
        ({"name": "x.lst"}, "file"),
        ({"file": part(b"1", "x.lst"), "more": "1"}, "more"),
        ({"file": [part(b"1"), part(b"2")]}, "file"),
        ({"file": part(b"x" * (settings.data_file_bytes + 1), "x.lst")}, "file"),
        ({"file": part(b"1", "x.lst"), "name": "a/b.lst"}, "name"),
    ):
        answer = call("root", "POST", **multipart(**body))
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]
    rows = call("alice", "GET", "?sort=-entries&limit=1").json
    assert [row["name"] for row in rows["results"]] == ["b.lst"]
    assert rows["next"]
    assert call("alice", "GET", "?user=alice&q=mine").json["results"][0]["name"] == "team-a.lst"
    content = call("alice", "GET", "/team-a.lst/content")
    assert content.data == b"# Mine\n1\n"
    mine = {"headers": {"If-Match": content.headers["ETag"]}}
    new = call("alice", "PUT", "/team-a.lst/content", **multipart(file=part(b"1\n2\n3\n")), **mine)
    assert new.json["entries"] == 3
    late = {"headers": {"If-Match": content.headers["ETag"]}}
    assert call("alice", "DELETE", "/team-a.lst", **late).status_code == 409
    assert call("alice", "DELETE", "/b.lst").status_code == 403
    assert call("alice", "DELETE", "/team-a.lst").status_code == 204
    assert call("alice", "GET", "/team-a.lst").status_code == 404


def test_a_token_for_some_jobs_gives_them_data_files(
    app: Flask, db: Any, cast: Any, make_job: Any, settings: Settings
):
    Folder(settings).write("a.lst", b"1\n", new=True)
    make_job(variables=[described("DataFileVar", "hosts")])
    token, token_hash = new_token("errand")
    of_alice = {"user_id": cast["alice"].id, "prefix": token[:12], "token_hash": token_hash}
    db.add(ApiToken(class_paths=["local/greetings/*"], **of_alice))
    db.commit()
    ask = {"headers": {"Authorization": f"Token {token}"}, "json": {"data": {"hosts": "a.lst"}}}
    made = app.test_client().post("/api/v1/jobs/local/greetings/Greet/run", **ask)
    assert made.status_code == 201, made.text
    listed = app.test_client().get("/api/v1/jobs/local/greetings/Greet/variables", headers=ask["headers"])
    assert listed.json["results"][0]["choices"] == [["a.lst", "a.lst"]]


def test_at_the_shell(app: Flask, settings: Settings, cast: Any, tmp_path: Any):
    def errand(*arguments: str, status: int = 0) -> str:
        command = ["data-files", *arguments, "--instance", str(settings.instance)]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result.output

    (tmp_path / "h.lst").write_text("# Hosts\na\n")
    assert errand("add", str(tmp_path / "h.lst")) == "h.lst\n"
    assert "There is a data file h.lst already." in errand("add", str(tmp_path / "h.lst"), status=1)
    (tmp_path / "h.lst").write_text("a\nb\n")
    assert errand("add", "--replace", str(tmp_path / "h.lst")) == "h.lst\n"
    assert errand("add", "--name", "o.txt", str(tmp_path / "h.lst")) == "o.txt\n"
    assert "h.lst" in errand("list")
    assert '"entries": 2' in errand("show", "h.lst", "--json")
    errand("remove", "-y", "h.lst")
    assert "h.lst" not in errand("list")
