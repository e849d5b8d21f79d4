"""An edited job file counts at once: in the form, in the API, in the run; and a result says which code it ran."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from store.models import ApiToken, JobRecord, JobResult, LoadError, now
from store.secrets import new_token
from store.settings import Settings, load_settings
from webapp.jobs import CHANGED
from worker import freshness
from worker.refresh import refresh

from .conftest import running, text

URL = "/jobs/local/greet/Greet/"
FIRST = """
from jobs import Job, StringVar

class Greet(Job):
    who = StringVar(default="first")

    def run(self, who):
        return who
"""
SECOND = FIRST.replace("who = StringVar", 'how = StringVar(default="kindly")\n    who = StringVar').replace(
    "def run(self, who)", "def run(self, who, how)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "edited"
    folder.mkdir()
    path = folder / "greet.py"
    path.write_text(FIRST)
    return path


@pytest.fixture
def app(settings: Settings, file: Path, db: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setenv("JOBS_ROOT", str(file.parent))
    fresh_settings = load_settings(settings.instance)
    refresh(db, fresh_settings, enable_new=True)
    yield from running(fresh_settings)


@pytest.fixture
def ask(app: Flask, db: Any, cast: Any) -> Callable[..., Any]:
    plain, token_hash = new_token("errand")
    db.add(ApiToken(user_id=cast["alice"].id, prefix=plain[:12], token_hash=token_hash))
    db.commit()

    def ask(method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Token {plain}"}
        return app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)

    return ask


def code_of(page: str) -> str:
    [code] = re.findall(r'name="_code" value="(\w+)"', page)
    return str(code)


def results(db: Any) -> list[JobResult]:
    with db.begin():
        return list(db.scalars(select(JobResult)))


def test_the_form_follows_the_file_without_a_refresh(alice, file):
    assert 'name="v-how"' not in text(alice.get(URL))
    file.write_text(SECOND)
    page = text(alice.get(URL))
    assert 'name="v-how" value="kindly"' in page
    assert 'name="v-who" value="first"' in page


def test_a_form_that_was_opened_on_older_code_says_so_and_runs_nothing(alice, file, db):
    code = code_of(text(alice.get(URL)))
    file.write_text(SECOND)
    answer = alice.post(URL, {"v-who": "typed", "_code": code})
    page = text(answer)
    assert answer.status_code == 422
    assert CHANGED in page
    assert 'name="v-who" value="typed"' in page
    assert 'name="v-how"' in page
    assert results(db) == []
    assert alice.post(URL, {"v-who": "typed", "v-how": "x", "_code": code_of(page)}).status_code == 303
    assert results(db)[0].data == {"who": "typed", "how": "x"}


def test_a_script_that_names_no_code_is_taken_by_what_the_job_is_now(ask, file, db):
    file.write_text(SECOND)
    assert ask("POST", "/jobs/local/greet/Greet/run", json={"data": {"how": "x"}}).status_code == 201
    assert results(db)[0].data == {"how": "x", "who": "first"}
    file.write_text(FIRST)
    answer = ask("POST", "/jobs/local/greet/Greet/run", json={"data": {"how": "x"}})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["how"])
    names = [variable["name"] for variable in ask("GET", "/jobs/local/greet/Greet").json["variables"]]
    assert names == ["who"]


def test_a_file_that_cannot_be_loaded_is_said_on_the_page_and_tried_once(alice, file, db, monkeypatch):
    tried: list[Any] = []
    real = freshness.refresh_module
    monkeypatch.setattr(freshness, "refresh_module", lambda *given: (tried.append(given), real(*given))[1])
    file.write_text("import nothing_like_this\n")
    for _ in range(3):
        page = text(alice.get(URL))
        assert "cannot be loaded now" in page
        assert "nothing_like_this" in page
    assert len(tried) == 1
    with db.begin():
        assert [error.module for error in db.scalars(select(LoadError))] == ["greet"]
    file.write_text(SECOND)
    page = text(alice.get(URL))
    assert "cannot be loaded" not in page
    assert 'name="v-how"' in page
    with db.begin():
        assert db.scalars(select(LoadError)).all() == []


def test_a_class_that_is_gone_cannot_be_run_any_more(alice, root, file, db):
    file.write_text(FIRST.replace("class Greet", "class Other"))
    assert "not found at the last refresh" in text(root.get(URL))
    with db.begin():
        known = {record.class_name: record for record in db.scalars(select(JobRecord))}
    assert (known["Greet"].installed, known["Other"].installed, known["Other"].enabled) == (
        False,
        True,
        False,
    )


def test_other_modules_keep_their_errors(alice, file, db):
    (file.parent / "broken.py").write_text("raise RuntimeError('mine')\n")
    with db.begin():
        db.add(
            LoadError(source="local", module="broken", path="x", message="mine", traceback="", seen_at=now())
        )
    file.write_text(SECOND)
    alice.get(URL)
    with db.begin():
        assert [error.message for error in db.scalars(select(LoadError))] == ["mine"]


SHARED = "DEFAULT = 'first'\n"
USING = """
from jobs import Job, StringVar

import names
from parts.words import GREETING

class Greet(Job):
    who = StringVar(default=names.DEFAULT, label=GREETING)

    def run(self, who):
        return who
"""


@pytest.fixture
def beside(file: Path) -> Path:
    (file.parent / "parts").mkdir()
    (file.parent / "parts" / "__init__.py").write_text("")
    (file.parent / "parts" / "words.py").write_text("from .kinds import KIND\nGREETING = f'Whom ({KIND})'\n")
    (file.parent / "parts" / "kinds.py").write_text("KIND = 'kindly'\n")
    (file.parent / "names.py").write_text(SHARED)
    (file.parent / "unrelated.py").write_text("")
    file.write_text(USING)
    return file.parent


def test_the_form_follows_what_its_file_imports(beside, alice, db):
    page = text(alice.get(URL))
    assert 'value="first"' in page
    assert "Whom (kindly)" in page
    with db.begin():
        [job] = db.scalars(select(JobRecord).where(JobRecord.class_name == "Greet")).all()
    assert set(job.siblings) == {"names", "parts", "parts.words", "parts.kinds"}
    (beside / "names.py").write_text(SHARED.replace("first", "second"))
    assert 'value="second"' in text(alice.get(URL))
    # Also what these import, and a package in place of a file.
    (beside / "parts" / "kinds.py").write_text("KIND = 'politely'\n")
    assert "Whom (politely)" in text(alice.get(URL))
    (beside / "names.py").unlink()
    (beside / "names").mkdir()
    (beside / "names" / "__init__.py").write_text(SHARED.replace("first", "third"))
    assert 'value="third"' in text(alice.get(URL))


def test_a_form_that_was_opened_before_such_an_edit_says_so(beside, alice, db):
    code = code_of(text(alice.get(URL)))
    (beside / "names.py").write_text(SHARED.replace("first", "second"))
    refused = alice.post(URL, {"v-who": "x", "_code": code})
    assert refused.status_code == 422
    assert CHANGED in text(refused)
    assert results(db) == []


def test_a_broken_import_is_told_once_and_mended(beside, alice):
    text(alice.get(URL))
    (beside / "names.py").write_text("DEFAULT = nobody\n")
    assert "cannot be loaded now" in text(alice.get(URL))
    (beside / "names.py").write_text(SHARED)
    page = text(alice.get(URL))
    assert "cannot be loaded now" not in page
    assert 'value="first"' in page
