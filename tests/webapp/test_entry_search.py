"""Search across all runs, on both databases: what is found, by whom, and what becomes of it."""

import re
import threading
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from store.entry_search import entry_index, on_postgres, parse
from store.html import render
from store.models import ApiToken, EntryWords, JobResult, LogEntry, Permission, SearchRemoval, now
from store.secrets import new_token
from tests.conftest import load_fixture_jobs, make_cast
from tests.waiting import until
from webapp import entry_search, search_page
from webapp.cli import main
from worker.entry_search import index_all, index_some, keep_indexing
from worker.removal import remove

from .conftest import running, signed_in, text


@pytest.fixture
def app(live):
    yield from running(live)


@pytest.fixture
def db(live_platform):
    with live_platform.session() as session:
        yield session


@pytest.fixture
def cast(db):
    return make_cast(db)


@pytest.fixture
def index(live):
    return entry_index(live.database_url)


@pytest.fixture
def log(db, cast, live):
    """Add a run of a job that has logged lines; each is a text, or a text and a level."""
    jobs = load_fixture_jobs(db, live)

    def add(job, *lines, by="alice"):
        record = jobs[job]
        result = JobResult(
            id=uuid.uuid4(),
            job_id=record.id,
            class_path=record.class_path,
            name=record.name,
            user_id=cast[by].id,
            username=by,
            status="completed",
            time_limit=600.0,
            last_seq=len(lines),
        )
        db.add(result)
        db.flush()
        for seq, line in enumerate(lines, 1):
            message, level = line if isinstance(line, tuple) else (line, "info")
            html = render(message)
            about = {"level": level, "grouping": "main", "message": message, "html": html}
            db.add(LogEntry(result_id=result.id, seq=seq, attempt=1, created_at=now(), **about))
            db.flush()
        db.commit()
        return result

    return add


def shown(answer):
    """Return the lines that a page has found, each with what is marked in [ ]."""
    found = re.findall(r'class="mono sm said"[^>]*>(.*?)</a>', text(answer), re.DOTALL)
    return [re.sub(r"<mark>(.*?)</mark>", r"[\1]", line) for line in found]


def test_lines_are_found_by_their_words(app, db, cast, log, live_platform, index, monkeypatch):
    alice, carol = signed_in(app, db, cast["alice"]), signed_in(app, db, cast["carol"])
    first = log("Passes", "Host **rtr-01** has answered", ("Zürich: no answer from **rtr-013**", "failure"))
    second = log("LogsAFailure", "start\nrtr-02 <script> answered late\nend", by="bob")
    page = text(alice.get("/results/search?q=answered"))
    assert "No line fits" in page
    assert index_all(live_platform, index) == 3
    late, early = "rtr-02 &lt;script&gt; [answered] late", "Host rtr-01 has [answered]"
    assert shown(alice.get("/results/search?q=ANSWERED")) == [late, early]
    assert shown(alice.get("/results/search?q=answered+-late")) == [early]
    assert shown(alice.get("/results/search?q=%22rtr-01+has%22")) == ["Host [rtr-01 has] answered"]
    assert shown(alice.get("/results/search?q=rtr-01*+-host")) == ["Zürich: no answer from [rtr-013]"]
    assert shown(alice.get("/results/search?q=zurich&level=failure")) == ["[Zürich]: no answer from rtr-013"]
    assert shown(alice.get("/results/search?q=zurich&level=info")) == []
    assert shown(alice.get(f"/results/search?q=rtr&logged=day&job={first.class_path}")) == [
        "Zürich: no answer from [rtr]-013",
        "Host [rtr]-01 has answered",
    ]
    page = text(alice.get("/results/search?q=zurich"))
    assert f'href="/results/{first.id}?line=2#L2"' in page
    # Only what one may see is found.
    db.execute(update(Permission).where(Permission.kind == "result").values(constraints=[{"owner": "me"}]))
    db.commit()
    assert shown(alice.get("/results/search?q=answered")) == [early]
    assert shown(carol.get("/results/search?q=answered")) == []
    # Page by page, and no further than is quick.
    root = signed_in(app, db, cast["root"])
    monkeypatch.setattr(search_page, "PAGE_SIZE", 1)
    page = root.get("/results/search?q=answered")
    assert shown(page) == [late]
    older = re.search(r'rel="next" href="([^"]+)">Older<', text(page))[1].replace("&amp;", "&")
    assert shown(root.get(older)) == [early]
    assert "Older" not in text(root.get(older))
    monkeypatch.setattr(entry_search, "MOST_LOOKED_AT", 2)
    page = text(alice.get("/results/search?q=rtr*&job=nowhere"))
    assert "Look further back" in page
    assert second.last_seq == 1


def test_what_cannot_be_looked_for_is_said_where_it_was_typed(app, db, cast):
    alice = signed_in(app, db, cast["alice"])
    answer = alice.get('/results/search?q="half&level=failure')
    assert answer.status_code == 422
    assert re.search(
        r'name="q" value="&#34;half"[^>]* aria-invalid="true" aria-describedby="q-e', text(answer)
    )
    assert "A quotation mark is missing" in text(answer)
    assert alice.get("/results/search").status_code == 200


def test_programs_find_entries_too(app, db, cast, log, live_platform, index):
    result = log("Passes", "one apple", ("two apples", "warning"), "three pears")
    token, token_hash = new_token("errand")
    db.add(ApiToken(user_id=cast["alice"].id, prefix=token[:12], token_hash=token_hash))
    db.commit()

    def get(query):
        return app.test_client().get(f"/api/v1/entries?{query}", headers={"Authorization": f"Token {token}"})

    behind = get("q=apple").json["behind"]
    assert behind["entries"] == 3
    assert behind["since"] is not None
    index_all(live_platform, index)
    found = get("q=apple*&limit=1").json
    [hit] = found["results"]
    assert (hit["seq"], hit["message"], hit["result"]["id"]) == (2, "two apples", str(result.id))
    assert hit["url"] == f"/results/{result.id}?line=2#L2"
    assert found["behind"] == {"entries": 0, "since": None}
    [hit] = get(found["next"].partition("?")[2]).json["results"]
    assert hit["message"] == "one apple"
    assert get("q=apple*&family=warning&until=2020-01-01T00:00:00Z").json["results"] == []
    assert get(f"q=pears&result={result.id}&job={result.class_path}").json["results"][0]["seq"] == 3
    refused = get("q=-apple")
    assert refused.status_code == 422
    assert "Write a word" in refused.json["errors"]["q"][0]


def test_what_is_removed_is_found_no_more_and_its_numbers_are_given_again(
    app, db, cast, live, log, live_platform, index
):
    root = signed_in(app, db, cast["root"])
    log("Passes", "kept melon")
    gone = log("Passes", "gone melon", "gone melon")
    index_all(live_platform, index)
    remove(db, live, gone, cast["root"])
    # On SQLite these have the numbers of those that were removed.
    log("Passes", "new plum", "new melon")
    assert index_some(live_platform, index) == 2
    assert shown(root.get("/results/search?q=melon")) == ["new [melon]", "kept [melon]"]
    assert shown(root.get("/results/search?q=plum")) == ["new [plum]"]
    assert index.entry_ids(db, parse("gone"), 2**62, 9) == []
    assert db.scalar(select(func.count()).select_from(SearchRemoval)) == 0


def test_the_index_is_kept_and_made_anew(live, db, cast, log, live_platform, index):
    log("Passes", "one melon")
    stop = threading.Event()
    keeper = threading.Thread(target=keep_indexing, args=(live, live_platform, stop))
    keeper.start()
    until(lambda: index.last_entry_id(db) > 0, "the entry is added")
    stop.set()
    keeper.join()
    db.rollback()
    log("Passes", "another melon")
    invoke = CliRunner().invoke
    assert invoke(main, ["search", "status"]).stdout.startswith("1\t20")
    assert invoke(main, ["search", "rebuild"], catch_exceptions=False).stdout == "2\n"
    assert invoke(main, ["search", "status"]).stdout == "0\n"
    assert len(index.entry_ids(db, parse("melon"), 2**62, 9)) == 2


@pytest.mark.parametrize("live", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_what_is_committed_late_is_not_passed_over(db, cast, log, live_platform, index, monkeypatch):
    monkeypatch.setattr(on_postgres, "SETTLE_SECONDS", 0.05)
    result = log("Passes", "first melon")
    with live_platform.session() as slow:
        entry = LogEntry(
            result_id=result.id,
            seq=2,
            attempt=1,
            created_at=now(),
            level="info",
            grouping="main",
            message="",
            html="late",
        )
        slow.add(entry)
        slow.flush()
        log("Passes", "last melon")
        assert index_some(live_platform, index) == 0
        slow.commit()
    assert index_some(live_platform, index) == 3
    assert db.scalar(select(func.count()).select_from(EntryWords)) == 3
