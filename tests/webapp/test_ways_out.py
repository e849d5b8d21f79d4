"""Names that lead out of where they belong, addresses that lead elsewhere, and rights that are gone while somebody still asks."""

import io
import json
import re
import threading
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask
from sqlalchemy import delete, select, update

from store import secrets
from store.models import ApiToken, JobResult, Permission, User, UserSession
from store.secrets import hash_password
from store.settings import Settings
from tests.waiting import until
from webapp import auth, login

from .conftest import Browser, signed_in
from .test_matrix import API, app, fill, token_of

__all__ = ["app", "fill"]

#: Names that would lead to the key of the instance, or to a file of the machine.
WAYS_OUT = (
    "../secret_key",
    "..\\secret_key",
    "x.lst/../../secret_key",
    "/etc/passwd",
    "..",
    ".",
    ".errand-folder",
    "secret_key\x00.lst",
    "C:\\secret_key",
    "%2e%2e%2fsecret_key",
)


def test_no_name_leads_out_of_its_place(app: Flask, db: Any, cast: Any, fill: Any, settings: Settings):
    fill("/")
    root, token = signed_in(app, db, cast["root"]), token_of(db, cast["root"])
    own = fill("+")
    db.rollback()
    root.token()
    secret = settings.secret_key
    before = sorted(
        path for path in settings.instance.rglob("*") if path.suffix not in (".db-wal", ".db-shm")
    )
    for name in WAYS_OUT:
        for coded in {quote(name, safe=""), quote(name, safe="/.%")}:
            for method, path in (
                ("GET", f"/data-files/{coded}"),
                ("GET", f"/data-files/{coded}/content"),
                ("POST", f"/data-files/{coded}/delete"),
                ("GET", f"/static/x/{coded}"),
                ("GET", f"/static/{coded}"),
                ("GET", f"/results/{own}/files/{coded}"),
                ("GET", f"/results/{own}/log.{coded}"),
                ("GET", f"/results/{own}/report?format={coded}"),
                ("GET", f"{API}/data-files/{coded}/content"),
                ("DELETE", f"{API}/data-files/{coded}"),
                ("DELETE", f"/ndscheduler/api/v1/files/{coded}"),
                ("GET", f"{API}/results/{own}/files/{coded}"),
                ("GET", f"{API}/jobs/local/{coded}/Ping"),
            ):
                if method == "POST":
                    answer = root.post(path, buffered=True)
                else:
                    headers = {} if method == "GET" and not path.startswith(API) else token
                    client = app.test_client() if headers else root.client
                    answer = client.open(path, method=method, headers=headers, buffered=True)
                assert answer.status_code in (301, 302, 303, 308, 400, 403, 404, 405, 422), (
                    path,
                    answer.status,
                )
                if "Location" in answer.headers:
                    assert urlsplit(answer.headers["Location"]).netloc in ("", "localhost"), path
                assert secret not in answer.text
                assert "root:" not in answer.text
        for path in (f"{API}/data-files", "/ndscheduler/api/v1/files"):
            data = {"file": (io.BytesIO(b"x\n"), name), "name": name, "filename": name}
            answer = app.test_client().post(path, headers=token, data=data, buffered=True)
            assert answer.status_code in (201, 400, 409, 415, 422), answer.text
    after = sorted(path for path in settings.instance.rglob("*") if path.suffix not in (".db-wal", ".db-shm"))
    # What was taken went below a plain name into the folder of data files.
    new = set(after) - set(before)
    assert {path.parent for path in new if path.is_file()} <= {settings.data_files}
    assert set(before) <= set(after)
    assert settings.secret_key == secret


#: Where a reader could be led elsewhere: in `next`, in what says where they came from, in the address itself.
ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%09/evil.example\n",
    "javascript:alert(1)",
    "data:text/html,x",
    "/login/../..//evil.example",
    "http:evil.example",
    "/jobs/\r\nLocation: https://evil.example",
    "@evil.example",
    ".evil.example",
)


def leads_away(answer: Any) -> bool:
    place = urlsplit(answer.headers.get("Location", "/"))
    return (
        place.scheme not in ("", "http")
        or place.netloc not in ("", "localhost")
        or place.path.startswith("//")
    )


def test_nobody_is_led_elsewhere(app: Flask, db: Any, cast: Any, fill: Any):
    fill("/")
    cast["alice"].password_hash = hash_password("correct horse battery")
    db.commit()
    alice, root = signed_in(app, db, cast["alice"]), signed_in(app, db, cast["root"])
    db.rollback()
    for place in ELSEWHERE:
        coded, header = quote(place), "".join(place.split())
        given = {"next": place, "Referer": place}
        answers = [
            alice.get(f"/login?next={coded}"),
            alice.get(f"/login/oidc?next={coded}"),
            app.test_client().get(f"/jobs/?next={coded}"),
            alice.post("/jobs/local/net/Ping/star", given, headers={"Referer": header}),
            alice.post("/jobs/local/net/Ping/unstar", given, headers={"Referer": header}),
            root.post("/workers/w-1/resume", given, headers={"Referer": header}),
            root.post("/jobs/local/net/Ping/enable", given, headers={"Referer": header}),
            # An address of ours that a redirect would turn into somebody else's.
            alice.get("/", environ_overrides={"PATH_INFO": "//evil.example/jobs"}),
            alice.get("/ndscheduler//evil.example/.."),
        ]
        for answer in answers:
            assert answer.status_code < 500
            assert not leads_away(answer), (place, answer.headers["Location"])
    stranger = Browser(app.test_client())
    sent = {"username": "alice", "password": "correct horse battery", "next": "//evil.example/jobs"}
    assert stranger.post("/login", sent).headers["Location"] == "/"


def test_sign_in_takes_alike_for_people_there_are_not(app: Flask, db: Any, cast: Any, monkeypatch: Any):
    """The same hash is computed for whoever is named: what differs is only whether it fits."""
    cast["alice"].password_hash = hash_password("correct horse battery")
    cast["bob"].password_hash, cast["bob"].active = hash_password("correct horse battery"), False
    db.commit()
    hashed: list[bool] = []
    real = login.verify_password

    def counted(kept: str | None, given: str) -> bool:
        hashed.append(kept is not None)
        return real(kept, given)

    monkeypatch.setattr(login, "verify_password", counted)
    pages = []
    for username in ("alice", "bob", "carol", "nobody"):
        stranger = Browser(app.test_client())
        stranger.token()
        answer = stranger.post("/login", {"username": username, "password": "wrong"})
        pages.append((answer.status_code, "Name or password is wrong." in answer.text))
    assert hashed == [True, True, False, False]
    assert set(pages) == {(422, True)}


def test_a_hash_is_computed_where_there_is_none(monkeypatch: Any):
    asked: list[str] = []

    class Hasher:
        def verify(self, kept: str, given: str) -> bool:
            asked.append(kept)
            return True

    monkeypatch.setattr(secrets, "_hasher", Hasher)
    monkeypatch.setattr(secrets, "_NOBODY", ["a hash of nobody's"])
    assert secrets.verify_password(None, "x") is False
    assert asked == ["a hash of nobody's"]


def test_what_is_taken_away_is_gone_with_the_next_request(
    app: Flask, db: Any, cast: Any, fill: Any, monkeypatch: Any
):
    """A poll that is on its page, a long poll that waits, a download: each asks anew."""
    fill("/")
    result = fill("*")
    monkeypatch.setattr(auth, "ASKER_SECONDS", 0.0)
    alice, token = signed_in(app, db, cast["alice"]), token_of(db, cast["alice"])
    db.rollback()
    asked = (
        lambda: alice.fragment(f"/results/{result}/log?after=0&every=1000").status_code,
        lambda: alice.get(f"/results/{result}/log.txt", buffered=True).status_code,
        lambda: alice.get(f"/results/{result}/export", buffered=True).status_code,
        lambda: app.test_client().get(f"{API}/results/{result}", headers=token).status_code,
        lambda: app.test_client().get(f"{API}/results/{result}/entries", headers=token).status_code,
    )
    # A poll of a log without news is a 204 or 200.
    assert all(ask() in (200, 204) for ask in asked)
    with db.begin():
        rights = db.scalars(select(Permission).where(Permission.kind == "result", Permission.enabled)).all()
        for each in rights:
            each.enabled = False
    assert [ask() for ask in asked] == [404] * 5
    with db.begin():
        for each in rights:
            db.get_one(Permission, each.id).enabled = True
    assert all(ask() in (200, 204) for ask in asked)
    with db.begin():
        db.execute(delete(ApiToken).where(ApiToken.user_id == cast["alice"].id))
        db.execute(delete(UserSession).where(UserSession.user_id == cast["alice"].id))
    assert [ask() for ask in asked] == [401, 303, 303, 401, 401]


def test_a_long_poll_ends_without_a_word_for_whom_it_is_closed(app: Flask, db: Any, cast: Any, fill: Any):
    """It waits for a run; meanwhile the account is closed, and the run ends: nothing of it is told."""
    fill("/")
    result = fill("*")
    token = token_of(db, cast["alice"])
    db.rollback()
    answers: list[Any] = []
    waits = threading.Thread(
        target=lambda: answers.append(
            app.test_client().get(f"{API}/results/{result}?wait=20", headers=token, buffered=True)
        )
    )
    waits.start()
    until(lambda: app.extensions["errand"].waiting._waiters, "it waits")
    with db.begin():
        db.execute(update(User).where(User.username == "alice").values(active=False))
        db.execute(
            update(JobResult).where(JobResult.status == "running").values(status="completed", cause="hush")
        )
    until(lambda: answers, "the poll is answered")
    waits.join()
    assert answers[0].status_code in (401, 404), answers[0].text
    assert "hush" not in answers[0].text


def test_htmx_runs_no_code_and_asks_nobody_else(app: Flask, db: Any, cast: Any):
    page = signed_in(app, db, cast["alice"]).get("/welcome").text
    found = re.search(r"<meta name=\"htmx-config\" content='([^']+)'", page)
    assert found
    config = json.loads(found[1])
    for name in ("allowEval", "allowScriptTags", "includeIndicatorStyles"):
        assert config[name] is False
    assert (config["selfRequestsOnly"], config["historyCacheSize"]) == (True, 0)
