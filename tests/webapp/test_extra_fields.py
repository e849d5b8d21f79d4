"""Nobody sets what no form and no body offers: extra members are refused, extra fields change nothing."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from flask import Flask

from benchmarks.soak.page_forms import posted_forms
from store.data_files import Folder
from store.settings import Settings
from webapp.api.document import document, operations

from .conftest import Browser, signed_in
from .test_attacks import rows_of
from .test_matrix import API, JOB, LOOKING, TABLE, app, fill, token_of

__all__ = ["app", "fill"]

#: What rows have, and nobody sets. The values are told from all others.
EXTRA: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-00000000beef",
    "owner": "sentinel",
    "user": "sentinel",
    "user_id": 4242,
    "username": "sentinel",
    "requested_by": "sentinel",
    "status": "completed",
    "state": "sentinel",
    "approved_by": "sentinel",
    "decided_by": "sentinel",
    "decision_by": "sentinel",
    "is_superuser": "true",
    "superuser": "true",
    "is_staff": "true",
    "active": "true",
    "restricted": "true",
    "class_path": "sentinel/x/Y",
    "source": "sentinel",
    "digest": "sentinel",
    "code_digest": "sentinel",
    "approved_at": "1999-01-01T00:00:00Z",
    "created_at": "1999-01-01T00:00:00Z",
    "token_hash": "sentinel",
    "password_hash": "sentinel",
    "password": "sentinel-of-a-password",
    "secret": "sentinel-secret",
    "box": "sentinel",
    "groups": "1",
    "permissions": "1",
    "origin": "sentinel",
    "origin_id": "sentinel",
    "parent_id": "sentinel",
    "job_id": "sentinel",
    "version": 4242,
    "__class__": "sentinel",
    "__proto__": "sentinel",
    "constructor": "sentinel",
}


#: What other programs send; and what ends the session that all forms are sent in.
NO_FORMS = ("/api/", "/ndscheduler", "/hooks/", "/slack", "/bennettbot", "/logout")


def test_bodies_refuse_members_that_they_do_not_name(
    app: Flask, db: Any, cast: Any, fill: Callable[[str], str], settings: Settings, subtests: Any
):
    """As a superuser: only that there is no such member can be the reason. Each operation of the document that takes JSON."""
    fill("/")
    headers, before, tried = token_of(db, cast["root"]), rows_of(settings), 0
    db.rollback()
    addresses = {TABLE[key][0]: (key[0], fill(key[1])) for key in TABLE if key[1].startswith(API)}
    schemas = document(app)
    for operation in operations(schemas):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            continue
        method, path = addresses[f"api.{operation['operationId']}"]
        named = _named(content["application/json"]["schema"], schemas)
        sent = {name: value for name, value in EXTRA.items() if name not in named}
        with subtests.test(f"{method} {path}"):
            answer = app.test_client().open(path, method=method, headers=headers, json=sent, buffered=True)
            assert answer.status_code == 422, answer.text
            assert sent.keys() <= answer.json["errors"].keys()
            tried += 1
    assert tried > 25
    after = rows_of(settings)
    assert _told(after, besides=before) == []


def _named(schema: Any, schemas: Any) -> set[str]:
    if reference := schema.get("$ref"):
        schema = schemas["components"]["schemas"][reference.rpartition("/")[2]]
    assert schema.get("additionalProperties") is False, schema
    return set(schema["properties"])


def _told(after: dict[str, set[Any]], *, besides: dict[str, set[Any]]) -> list[Any]:
    """Return the rows that are new, but what is noted of tokens that are used."""
    return [
        row
        for table, rows in after.items()
        if table not in ("api_tokens", "user_sessions")
        for row in rows - besides.get(table, set())
    ]


def test_arguments_that_stand_twice_are_refused(app: Flask, db: Any, cast: Any, fill: Callable[[str], str]):
    fill("/")
    headers = token_of(db, cast["root"])
    db.rollback()
    for path in (
        "/results?status=failed&status=completed",
        f"{JOB}/history?limit=1&limit=2",
        "/users?superuser=false&superuser=true",
        "/jobs?fields=name&fields=id",
        "/me?fields=username&fields=token",
    ):
        answer = app.test_client().get(f"{API}{path}", headers=headers)
        # Of some filters there may be several; of none the last one quietly wins.
        assert answer.status_code == 422 or "status=" in path, path
    for body in ('{"superuser": false, "superuser": true}', '{"data": {}, "data": {"site": 1}}'):
        for path in ("/users/1", f"{JOB}/run"):
            answer = app.test_client().open(
                f"{API}{path}",
                method="PATCH" if "users" in path else "POST",
                headers={**headers, "Content-Type": "application/json"},
                data=body,
            )
            assert answer.status_code == 400, answer.text
            assert "twice" in answer.text, answer.text


def test_fields_that_no_form_has_change_nothing(
    app: Flask, db: Any, cast: Any, fill: Callable[[str], str], settings: Settings, subtests: Any
):
    """Each form is sent as a superuser, plain and with all that rows have: both leave the same behind."""
    fill("/")
    root = signed_in(app, db, cast["root"])
    db.rollback()
    root.token()
    forms = {"/login": {"username": "bob", "password": "x"}, **dict(found_forms(root, fill))}
    file = settings.instance / "errand.db"
    tried = changed = 0
    with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect("")) as first:
        there.execute("PRAGMA synchronous = OFF")
        there.backup(first)
        start = rows_of(settings)
        for method, path in TABLE:
            if method != "POST" or path.startswith(NO_FORMS):
                continue
            form = forms.get(fill(path), {"decision": "approve"})
            extra = {name: str(value) for name, value in EXTRA.items() if name not in form}
            left = []
            for sent in (form | extra, form):
                answer = root.again(app).post(fill(path), sent, buffered=True)
                left.append((answer.status_code, changed_rows(settings, start)))
                if left == [(answer.status_code, {})]:
                    break
                first.backup(there)
                Folder(settings).write("x.lst", b"a\n", new=False)
            with subtests.test(path):
                assert left[0] == left[-1]
            tried += 1
            changed += len(left) > 1
    assert (tried > 80, changed > 40) == (True, True), (tried, changed)


def found_forms(browser: Browser, fill: Callable[[str], str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the forms of all pages: where to, and what is in them."""
    for _, path in LOOKING:
        if path.startswith(("/api/", "/ndscheduler", "/static")):
            continue
        with browser.get(fill(path)) as answer:
            page = answer.text if answer.mimetype == "text/html" else ""
        for form in posted_forms(page):
            fields = {name: value for name, value in form.fields.items() if name != "csrf_token"}
            yield (form.action or fill(path)).partition("?")[0], fields


#: What is another one each time: ids, hashes, tokens, moments of today.
CHANCE = re.compile(
    r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|\b[0-9a-f]{12,}\b|errand_[\w-]+"
    r"|CONTENT_LENGTH\W+\d+|20\d\d-\d\d-\d\d[ T][\d:.]+Z?"
)


def changed_rows(settings: Settings, before: dict[str, set[Any]]) -> dict[str, list[str]]:
    """Return the rows that are new, and those that are gone, but for what chance and the time have made of them."""
    after = rows_of(settings)
    return {
        table: [settled(after[table] - before[table]), settled(before[table] - after[table])]
        for table in before
        if table not in ("user_sessions", "file_chunks") and after[table] != before[table]
    }


def settled(rows: set[Any]) -> list[str]:
    return sorted(CHANCE.sub("~", json.dumps(row, default=lambda each: "bytes")) for row in rows)
