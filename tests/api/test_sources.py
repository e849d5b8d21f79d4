"""`/sources`: where jobs come from, and what could not be loaded."""

from store.models import JobSource, LoadError
from tests.api.conftest import NOON


def test_sources_show_their_own_load_errors(call_as_root, db):
    for name in ("plugins", "local"):
        db.add(JobSource(name=name, kind="folder", location=f"/srv/{name}", refreshed_at=NOON))
    broken = {
        "path": "/srv/local/bad.py",
        "module": "bad",
        "message": "It has a syntax error.",
        "traceback": "Traceback...",
        "advice": False,
    }
    db.add(LoadError(source="local", seen_at=NOON, **broken))
    db.commit()
    answer = call_as_root("GET", "/sources")
    time = "2026-01-31T12:00:00.000005Z"
    assert answer.json == {
        "results": [
            {
                "name": "local",
                "kind": "folder",
                "location": "/srv/local",
                "snapshot": None,
                "commit": None,
                "sync": None,
                "note": None,
                "refreshed_at": time,
                "load_errors": [{**broken, "seen_at": time}],
            },
            {
                "name": "plugins",
                "kind": "folder",
                "location": "/srv/plugins",
                "snapshot": None,
                "commit": None,
                "sync": None,
                "note": None,
                "refreshed_at": time,
                "load_errors": [],
            },
        ],
        "next": None,
    }


def test_without_sources_the_list_is_empty(call_as_root):
    assert call_as_root("GET", "/sources").json == {"results": [], "next": None}


def test_tracebacks_are_for_those_who_may_mend_them(call):
    assert call("GET", "/sources").status_code == 404
