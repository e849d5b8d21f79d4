"""mallory, who may run one job and see her own runs, tries what is somebody else's; root tries ids that do not belong together.

Every address of the matrix is tried, so a new one is as soon as it is there; and the rows there were are compared.
"""

import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from store.lockbox import lock
from store.models import (
    ApiToken,
    Delivery,
    FileChunk,
    NoticeRule,
    Permission,
    RunFile,
    SavedFilter,
    Suppression,
    User,
    UserSession,
    Webhook,
    WebhookDelivery,
    now,
)
from store.settings import Settings

from .conftest import signed_in
from .test_matrix import API, ASKED, BODIES, BUTTON, TABLE, WEBHOOK, app, fill, token_of

__all__ = ["app", "fill"]

#: Stands in all that mallory may not see.
HUSH = "hush-of-alice"
OWN_JOB = "local/own/Own"
OTHER_WEBHOOK = UUID(int=6)

#: What is one's own, or for all; what comes to a webhook is known by its signature.
HERS = ("/account/", "/login", "/logout", f"{API}/me", f"{API}/openapi.json", "/hooks/")
#: For ndscheduler a job that she may not see is one that is still to come: a schedule of her own may wait for it.
AWAITED = ("POST", "/ndscheduler/api/v1/jobs")

#: Tables in which is noted when she came.
NOTED = {"user_sessions", "api_tokens"}


class World:
    """What there is of alice's and bob's, and mallory with a session and a token."""

    def __init__(self, app: Flask, db: Any, cast: Any, fill: Any, make_job: Any, make_result: Any) -> None:
        self.app, self.fill = app, fill
        fill("/")
        ping, own = fill("^"), make_job("Own", class_path=OWN_JOB)
        with db.begin():
            mallory = User(username="mallory")
            mine = [{"owner": "me"}]
            for kind, actions, of in (
                ("job", ["view", "run"], [{"class_path": OWN_JOB}]),
                ("result", ["view", "change", "delete"], mine),
                ("schedule", ["view", "change", "delete"], mine),
                ("datafile", ["view", "add", "change", "delete"], mine),
            ):
                db.add(
                    Permission(
                        name=f"own {kind}", kind=kind, actions=actions, constraints=of, users=[mallory]
                    )
                )
            db.flush()
            alice, cast["mallory"] = cast["alice"].id, mallory
        hers = make_result(own, username="mallory")
        his = make_result(
            own, "failed", data={"text": HUSH}, cause=HUSH, output=HUSH, return_value=HUSH, plan=[HUSH]
        )
        self.hers, self.his = str(hers.id), str(his.id)
        with db.begin():
            rows = {
                "token": ApiToken(user_id=alice, prefix="x", token_hash="x", name=HUSH),
                "session": UserSession(
                    user_id=alice,
                    token_hash="y",
                    created_at=now(),
                    last_seen_at=now(),
                    expires_at=now() + timedelta(days=1),
                ),
                "filter": SavedFilter(user_id=alice, name=HUSH, arguments={"status": "failed"}),
                "rule": NoticeRule(user_id=alice, about="job", subject="local/net/Ping", name=HUSH),
                "notice": Delivery(
                    event="ended",
                    event_key="y",
                    target=f"browser:{alice}",
                    via="browser",
                    receiver=HUSH,
                    title=HUSH,
                    state="waiting",
                ),
                "made": RunFile(key="k1", result_id=his.id, name=f"{HUSH}.txt", size_bytes=1),
                "given": RunFile(key="k2", result_id=his.id, variable="f", name=f"{HUSH}.txt", size_bytes=1),
                "hers": RunFile(key="k3", result_id=hers.id, variable="f", name="hers.txt", size_bytes=1),
                "suppression": Suppression(
                    job_id=UUID(ping), username=HUSH, starts_at=now(), ends_at=now() + timedelta(days=1)
                ),
                "sent": WebhookDelivery(webhook_id=WEBHOOK, outcome="accepted", status=202, body=b"{}"),
            }
            db.add_all(rows.values())
            # What a file holds is there: that it is gone is not what refuses.
            db.add_all(FileChunk(key=f"k{number}", number=0, content=b"x") for number in (1, 2, 3))
            box = lock(app.extensions["errand"].settings.secret_key, {"secret": "x"})
            db.add(Webhook(id=OTHER_WEBHOOK, name="Other", job_id=own.id, username="alice", box=box))
            db.flush()
            self.ids = {name: str(row.id) for name, row in rows.items()}
        self.token = token_of(db, mallory)
        self.browser = signed_in(app, db, mallory)
        db.rollback()

    def ask(self, method: str, path: str, body: Any = None, form: Any = None) -> Any:
        """Ask as she would: programs' addresses with her token, pages with her session."""
        if path.startswith(("/api/", "/ndscheduler/")):
            sent = {} if body is None else {"json": body}
            return self.app.test_client().open(path, method=method, headers=self.token, buffered=True, **sent)
        if method == "GET":
            return self.browser.get(path, buffered=True)
        return self.browser.post(path, form or {}, buffered=True)


@pytest.fixture
def world(app: Flask, db: Any, cast: Any, fill: Any, make_job: Any, make_result: Any) -> World:
    return World(app, db, cast, fill, make_job, make_result)


def rows_of(settings: Settings) -> dict[str, set[Any]]:
    """Return all rows there are, by table."""
    with closing(sqlite3.connect(settings.instance / "errand.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: set(db.execute(f'SELECT * FROM "{name}"')) for name in tables}


def lost(before: dict[str, set[Any]], after: dict[str, set[Any]], *, but: set[str] = NOTED) -> dict[str, Any]:
    """Return what is gone or other than it was, by table."""
    gone = {table: rows - after.get(table, set()) for table, rows in before.items() if table not in but}
    return {table: rows for table, rows in gone.items() if rows}


def test_nothing_of_others_is_seen_or_changed(world: World, settings: Settings, subtests: Any):
    before, tried = rows_of(settings), 0
    for method, path in TABLE:
        if path.startswith(HERS):
            continue
        form = {"decision": "approve", "username": "mallory", "confirm": "yes"}
        body = BODIES.get((method, path))
        sent = None if body is None else json.loads(world.fill(json.dumps(body)))
        with subtests.test(f"{method} {path}"):
            answer = world.ask(method, world.fill(path), sent, form)
            assert HUSH not in answer.text
            assert answer.status_code < 500 or answer.status_code in (501, 503), answer.text
            assert answer.status_code not in (201, 202, 204) or (method, path) == AWAITED, answer.text
            tried += 1
    assert tried > 250
    assert lost(before, rows_of(settings)) == {}


def test_no_id_of_others_opens_anything(world: World, settings: Settings, subtests: Any):
    """Each is the real id of what there is, with the address in which it would be one's own."""
    ids, hers, his = world.ids, world.hers, world.his
    before = rows_of(settings)
    for method, path in (
        ("POST", f"/account/tokens/{ids['token']}/end"),
        ("POST", f"/account/sessions/{ids['session']}/end"),
        ("POST", f"/account/notifications/rules/{ids['rule']}/delete"),
        ("POST", f"/account/notifications/deliveries/{ids['notice']}/again"),
        ("DELETE", f"{API}/me/tokens/{ids['token']}"),
        ("DELETE", f"{API}/me/notice-rules/{ids['rule']}"),
        ("POST", f"/results/filters/{ids['filter']}/delete"),
        # What belongs to another run, below the address of her own.
        *(
            ("GET", f"{place}/results/{hers}/files/{ids[name]}")
            for place in ("", API)
            for name in ("made", "given", "hers")
        ),
        *(("GET", f"{place}/results/{his}/files/{ids['made']}") for place in ("", API)),
        *(
            ("GET", f"{place}/results/{his}{part}")
            for place in ("", API)
            for part in ("", "/report", "/changes", "/export", "/children")
        ),
        *(
            ("GET", f"/results/{his}/{part}")
            for part in (
                "log",
                "log.txt",
                "log.csv",
                "log.ndjson",
                "output.txt",
                "return-value.json",
                "plan.txt",
                "cancel",
            )
        ),
        ("GET", f"{API}/results/{his}/entries"),
        ("GET", f"{API}/results/{his}/files"),
        ("GET", f"/approvals/{his}"),
        *(("POST", f"{place}/results/{his}/{act}") for place in ("", API) for act in ("cancel", "rerun")),
        ("DELETE", f"{API}/results/{his}"),
        ("GET", f"/api/extras/job-results/{his}/"),
        ("GET", f"/api/extras/job-results/{his}/logs/"),
        ("DELETE", f"/api/extras/job-results/{his}/"),
        ("POST", f"/jobs/{OWN_JOB}/suppressions/{ids['suppression']}/end"),
        ("DELETE", f"{API}/jobs/{OWN_JOB}/suppressions/{ids['suppression']}"),
    ):
        with subtests.test(f"{method} {path}"):
            answer = world.ask(method, path)
            # 403: to change her own job she may not, whatever is named there.
            expected = (403,) if "suppressions" in path else (404,)
            assert answer.status_code in expected, answer.text
            assert HUSH not in answer.text
    assert lost(before, rows_of(settings)) == {}


def test_no_id_of_others_does_anything_in_a_body_or_a_query(world: World, settings: Settings, subtests: Any):
    his, before = world.his, rows_of(settings)
    schedule = {"job": OWN_JOB, "interval": "cron", "cron": "0 6 * * *"}
    refused = (403, 404, 422)
    for method, path, sent, expected in (
        ("POST", f"{API}/results/bulk", {"action": "cancel", "ids": [his]}, (200, *refused)),
        ("POST", f"{API}/results/bulk", {"action": "delete", "ids": [his]}, (200, *refused)),
        ("POST", f"{API}/results/bulk", {"action": "rerun", "ids": [his]}, (200, *refused)),
        ("DELETE", "/api/extras/job-results/", [{"id": his}], refused),
        ("POST", f"{API}/me/notice-rules", {"about": "run", "subject": his, "ways": ["browser"]}, refused),
        (
            "POST",
            f"{API}/me/notice-rules",
            {"about": "schedule", "subject": world.fill("~"), "ways": ["browser"]},
            refused,
        ),
        ("POST", f"{API}/schedules", schedule | {"user": "alice"}, refused),
        ("POST", f"{API}/schedules", schedule | {"username": "alice"}, refused),
        ("GET", f"{API}/results?parent={ASKED}", None, (200, *refused)),
        ("GET", f"{API}/entries?q=hush", None, (200,)),
        ("GET", f"{API}/permissions/explain?action=view&kind=result&subject={his}", None, (200, *refused)),
        ("GET", f"{API}/permissions/explain?action=view&kind=user&user=alice", None, refused),
        ("GET", "/results/?q=hush", None, (200,)),
        ("GET", f"/results/?parent={ASKED}", None, (200,)),
        ("GET", "/results/?person=alice", None, (200,)),
        ("GET", f"/jobs/{OWN_JOB}/?_from_result={his}", None, (200,)),
        ("GET", "/results/search?q=hush", None, (200, 404)),
        ("GET", "/results/results.csv", None, (200,)),
        ("PUT", f"/ndscheduler/api/v1/jobs/{world.fill('%')}", {"pub_args": []}, (400,)),
    ):
        with subtests.test(f"{method} {path} {sent}"):
            answer = world.ask(method, path, sent)
            assert answer.status_code in expected, answer.text
            assert HUSH not in answer.text
            assert world.fill("*") not in answer.text
            # Nor are jobs named that she may not see.
            assert not re.search("local/(net|greetings)/", answer.text)
    assert lost(before, rows_of(settings)) == {}
    with closing(sqlite3.connect(settings.instance / "errand.db")) as db:
        assert db.execute("SELECT count(*) FROM notice_rules").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM schedules").fetchone() == (2,)


def test_ids_that_do_not_belong_together_are_nothing(
    world: World, db: Any, cast: Any, settings: Settings, subtests: Any
):
    """root may do all: what refuses is that one is not of the other."""
    ids, hers = world.ids, world.hers
    world.browser, world.token = signed_in(world.app, db, cast["root"]), token_of(db, cast["root"])
    db.rollback()
    before = rows_of(settings)
    other = f"/admin/webhooks/{OTHER_WEBHOOK}/deliveries/{ids['sent']}"
    for method, path in (
        *(("GET", f"{place}/results/{hers}/files/{ids['made']}") for place in ("", API)),
        # What a run was given is served nowhere.
        *(("GET", f"{place}/results/{hers}/files/{ids['hers']}") for place in ("", API)),
        ("GET", other),
        ("POST", f"{other}/again"),
        ("GET", f"/admin/webhooks/{OTHER_WEBHOOK}/test?delivery={ids['sent']}"),
        ("GET", f"{API}/webhooks/{OTHER_WEBHOOK}/deliveries/{ids['sent']}"),
        ("POST", f"{API}/webhooks/{OTHER_WEBHOOK}/deliveries/{ids['sent']}/again"),
        ("POST", f"/jobs/{OWN_JOB}/suppressions/{ids['suppression']}/end"),
        ("DELETE", f"{API}/jobs/{OWN_JOB}/suppressions/{ids['suppression']}"),
        ("POST", f"/objects/inventory.status/1/buttons/{BUTTON}"),
        ("POST", f"{API}/objects/inventory.status/1/buttons/{BUTTON}"),
        ("POST", f"{API}/objects/inventory.site/1/buttons/{WEBHOOK}"),
        ("POST", f"/account/tokens/{ids['token']}/end"),
        ("DELETE", f"{API}/me/notice-rules/{ids['rule']}"),
    ):
        with subtests.test(f"{method} {path}"):
            assert world.ask(method, path).status_code == 404
    assert lost(before, rows_of(settings)) == {}
