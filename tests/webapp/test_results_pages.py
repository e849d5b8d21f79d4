"""The list of results, one run while it goes and after, its log, canceling it and running it again."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from examples.inventory.models import Manufacturer
from store.models import EntryGroup, Group, JobResult, Permission, SlackRequest, Status, now
from webapp import log
from webapp.paging import PAGE_SIZE

from .conftest import NOON, described, running, signed_in, text

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NOWHERE = "/results/00000000-0000-4000-8000-000000000000"


def url(result, rest=""):
    return f"/results/{result.id}{rest}"


def lines(page):
    return [int(number) for number in re.findall(r'<li data-level="\w+" id="L(\d+)"', page)]


def poll_url(page):
    found = re.search(r'id="log-poll"[^>]* hx-get="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else None


# --- The list -------------------------------------------------------------------------------------------------


def test_the_list_shows_the_newest_first(alice, make_job, make_result):
    job = make_job()
    for day, status in enumerate(Status):
        make_result(job, status, cause=f"Cause {day}", created_at=NOON + timedelta(days=day))
    page = text(alice.get("/results/"))
    assert page.index("Cause 7") < page.index("Cause 0")
    for word in (
        "Needs approval",
        "Queued",
        "Running",
        "Completed",
        "Failed",
        "Errored",
        "Canceled",
        "Denied",
    ):
        assert word in page


def test_a_running_result_says_how_far_it_is(alice, make_job, make_result, db):
    run = make_result(make_job(), "running", progress={"done": 31, "total": 50})
    page = alice.get("/results/")
    assert "</svg>Running 62%</span>" in text(page)
    poll = re.search(r'id="now".*? hx-get="([^"]+)"', text(page))[1].replace("&amp;", "&")
    assert alice.fragment(poll).status_code == 204
    run.progress = {"done": 32, "total": 50}
    db.commit()
    assert "Running 64%" in text(alice.fragment(poll))


def test_the_list_tells_the_inputs_that_say_most(inventory_settings, db, cast, make_job, make_result):
    site = {"model": "inventory.manufacturer", "query_params": {}, "null_option": None}
    job = make_job(
        variables=[
            described("StringVar", "who", default="World"),
            described("BooleanVar", "sure"),
            described("ChoiceVar", "color", choices=[["r", "Red"], ["g", "Green"]]),
            described("SecretVar", "pin"),
            described("ObjectVar", "maker", **site),
            described("MultiObjectVar", "others", **site),
        ]
    )
    for data, more in (
        ({"who": "Ada <b>", "sure": True, "color": "g", "maker": 2}, {}),
        ({"who": "World", "others": [1, 2], "maker": 99}, {}),
        ({"who": "x" * 200}, {}),
        ({"who": "y" * 5000}, {}),
        ({"who": "Unsaid"}, {"status": "failed", "cause": "It broke."}),
        ({"who": "World", "pin": "1234", "sure": False}, {}),
    ):
        make_result(job, data=data, **more)
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for name in ("Acme", "Best"):
                Manufacturer(name=name, slug=name.lower()).save()
            session.commit()
        alice = signed_in(app, db, cast["alice"])
        page = text(alice.get("/results/"))
        told = re.findall(r'<div class="sm dim clip">([^<]*)</div>', page)
        assert sorted(told) == [
            "Best, Who: Ada &lt;b&gt;, Color: Green",
            "It broke.",
            "Others: 2 objects",
            f"Who: {'x' * 39}…",
        ]


def test_completed_with_warnings_has_its_own_word(alice, make_job, make_result):
    make_result(make_job(), "completed", count_warning=3)
    assert "Warnings (3)" in text(alice.get("/results/"))


def test_durations_are_drawn_beside_what_is_usual_for_the_job(alice, make_job, make_result):
    job, rare = make_job(), make_job("Rare")
    for seconds in (8, 10, 10, 12):
        make_result(job, finished_at=NOON + timedelta(seconds=seconds))
    make_result(job, "failed", finished_at=NOON + timedelta(seconds=300))
    make_result(job, "pending")
    make_result(rare, "failed")
    page = text(alice.get("/results/"))
    cells = re.findall(r'<td class="durc"(?: title="([^"]+)")?>([^<]*)(<svg class="dur".*?</svg>)?', page)
    drawn = [(title, words, re.findall(r'<rect width="(\d+)%"', bar)) for title, words, bar in cells]
    usually = "Usually 10s"
    assert sorted(drawn) == sorted(
        [
            (usually, "8.0s", ["40"]),
            (usually, "10s", ["50"]),
            (usually, "10s", ["50"]),
            (usually, "12s", ["60"]),
            (usually, "5m 00s", ["100"]),
            ("", "", []),
            ("", "5.0s", []),
        ]
    )


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("status=failed", {"B"}),
        ("status=bad", {"B", "C"}),
        ("status=warnings", {"D"}),
        ("status=completed", {"A", "D"}),
        ("person=bob", {"B"}),
        ("job=local/greetings/A", {"A"}),
        ("job=local/greetings/Gone", set()),
        ("started=day", {"A"}),
        ("ended=day", {"A"}),
        ("ended=week&status=failed", set()),
        ("q=bo", {"B"}),
        ("q=%25", set()),
        ("q=_", set()),
        ("status=nonsense", {"A", "B", "C", "D"}),
        ("status=failed&person=alice", set()),
        ("q=%00&job=%00&person=%00&older=%00&newer=x_y", set()),
    ],
)
def test_the_list_is_filtered(alice, make_job, make_result, query, shown):
    make_result(make_job("A"), "completed", created_at=now())
    make_result(make_job("B"), "failed", "bob")
    make_result(make_job("C"), "errored")
    make_result(make_job("D"), "completed", count_warning=1)
    page = text(alice.fragment(f"/results/?{query}"))
    assert "<html" not in page
    assert set(re.findall(r'<a class="name"[^>]*>(\w)<', page)) == shown


def test_only_people_are_offered_whose_runs_one_may_see(browser, db, make_job, make_result):
    for name in ("alice", "bob"):
        make_result(make_job(name.capitalize()), username=name)

    def offered(name: str) -> set[str]:
        page = text(browser(name).get("/results/"))
        chosen = re.search(r'<select[^>]*name="person".*?</select>', page, re.DOTALL)[0]
        return set(re.findall(r'<option value="(\w+)"', chosen))

    assert offered("alice") == {"alice", "bob"}
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(delete(Permission).where(Permission.kind == "result"))
        db.add(
            Permission(
                name="Own", kind="result", actions=["view"], constraints=[{"owner": "me"}], groups=[everyone]
            )
        )
    assert offered("alice") == {"alice"}
    assert offered("root") == {"alice", "bob"}


def test_the_list_finds_ids(alice, make_job, make_result):
    job = make_job()
    wanted, _other = make_result(job), make_result(job)
    for given in (wanted.short_id, f"%23{wanted.short_id}", str(wanted.id)):
        assert re.findall(r'href="/results/([^"?]+)"', text(alice.fragment(f"/results/?q={given}"))) == [
            str(wanted.id)
        ]


@pytest.mark.parametrize("same_moment", [False, True])
def test_pages_neither_lose_nor_repeat_results(alice, make_job, make_result, same_moment):
    job = make_job()
    made = [
        make_result(job, created_at=NOON + timedelta(seconds=0 if same_moment else n))
        for n in range(2 * PAGE_SIZE + 20)
    ]
    address, seen, visited = "/results/?person=alice", [], []
    while address:
        page = text(alice.fragment(address))
        seen += re.findall(r'<a class="name" href="/results/([^"]+)"', page)
        visited.append(page)
        # New rows do not push others over the edge of a page.
        make_result(job, "failed", created_at=NOON + timedelta(days=1))
        older = re.search(r'href="([^"]+)">Older', page)
        address = older[1].replace("&amp;", "&") if older else None
    assert sorted(seen) == sorted(str(result.id) for result in made)
    assert len(visited) == 3
    newer = re.search(r'href="([^"]+)">Newer', visited[2])[1].replace("&amp;", "&")
    second = re.findall(r'<a class="name" href="/results/([^"]+)"', text(alice.fragment(newer)))
    assert second == seen[PAGE_SIZE : 2 * PAGE_SIZE]


# --- A run while it goes --------------------------------------------------------------------------------------


def test_a_running_result_polls_its_log(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, "one **bold**", grouping="run")
    add_entries(result, "two", grouping="test_ports", level="failure")
    page = text(alice.get(url(result)))
    assert "one <strong>bold</strong>" in page
    assert page.index(">run</h3>") < page.index("one <strong>") < page.index(">test_ports</h3>")
    assert 'href="#L1"' in page
    assert 'hx-trigger="every 300ms, wake"' in page
    assert '<span class="n" id="n-failure">1</span>' in page
    assert "Cancel run" in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert f'action="/results/{result.id}/cancel"' in page


def test_a_poll_brings_what_is_new_and_nothing_twice(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, "one")
    address = poll_url(text(alice.get(url(result))))
    assert alice.fragment(address).status_code == 204
    add_entries(result, "two")
    add_entries(result, "three", grouping="other")
    news = text(alice.fragment(address))
    assert lines(news) == [2, 3]
    assert ">run</h3>" not in news
    assert ">other</h3>" in news
    assert '<ol hx-swap-oob="beforeend:#log">' in news
    assert 'id="GC1" hx-swap-oob="true"' in news
    assert '<span class="n" id="n-info" hx-swap-oob="true">3</span>' in news
    assert "result-head" not in news
    assert alice.fragment(poll_url(news)).status_code == 204


def test_an_answer_holds_at_most_500_lines(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "running", started_at=now())
    address = poll_url(text(alice.get(url(result))))
    add_entries(result, *map(str, range(1203)))
    seen = []
    while (answer := alice.fragment(address)).status_code == 200:
        seen.append(lines(text(answer)))
        address = poll_url(text(answer))
    assert [len(some) for some in seen] == [500, 500, 203]
    assert [seq for some in seen for seq in some] == list(range(1, 1204))


def test_a_page_that_has_fallen_behind_goes_on_with_the_last_lines(
    alice, make_job, make_result, add_entries, monkeypatch
):
    monkeypatch.setattr(log, "MOST_BEHIND", 200)
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, *map(str, range(10)))
    page = text(alice.get(url(result)))
    add_entries(result, *map(str, range(120)))
    add_entries(result, *map(str, range(170)), grouping="next")
    news = text(alice.fragment(poll_url(page)))
    shown, headings = lines(news), re.findall(r'<li class="g" id="(G\d+)"', news)
    assert shown == list(range(201, 301))
    assert headings == ["G131"]
    assert "190 lines not shown here" in news
    # Those in between come above, each once and under their headings; there they end.
    for expected, moved in ((range(101, 201), True), (range(11, 101), False)):
        back = re.search(r'hx-get="([^"]+)"[^>]*>Show earlier lines', news)[1].replace("&amp;", "&")
        news = text(alice.fragment(back))
        assert lines(news) == list(expected)
        assert ('id="G131" hx-swap-oob="delete"' in news) == moved
        assert re.findall(r'<li class="g" id="(G\d+)"', news) == (["G131"] if moved else [])
    assert "Show earlier lines" not in news


def test_the_last_poll_brings_lines_and_end_and_stops(alice, make_job, make_result, add_entries, db):
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, "one")
    address = poll_url(text(alice.get(url(result))))
    add_entries(result, "it broke", level="failure")
    result.status, result.finished_at, result.cause, result.output = Status.FAILED, now(), "No answer.", "a,b"
    db.commit()
    end = text(alice.fragment(address))
    assert lines(end) == [2]
    assert '<div id="log-poll"></div>' in end
    assert 'id="result-head" hx-swap-oob="true"' in end
    assert "Run again" in end
    assert "Cancel run" not in end
    assert "<h2>No answer.</h2>" in end
    assert "#L2" in end
    assert "<title>Failed: Greet · Errand</title>" in end
    assert re.search(r'id="output"[^>]*>\s*a,b</pre>', end)


def test_the_end_comes_below_what_is_read_and_a_reload_shows_it_first(alice, make_job, make_result, db):
    def order(page):
        parts = ("result-head", "outcome", "log-h", "inputs")
        return sorted(parts, key=lambda part: page.index(f'id="{part}"'))

    result = make_result(make_job(), "running", started_at=now())
    live = text(alice.get(url(result)))
    assert 'id="tabs"' not in live
    assert "now-" in text(alice.fragment("/now"))
    result.status, result.finished_at, result.output = Status.COMPLETED, now(), "a,b"
    db.commit()
    end = text(alice.fragment(poll_url(live)))
    for part in ("result-head", "summary", "outcome", "now"):
        assert re.search(rf'id="{part}"[^>]* hx-swap-oob="true"', end), part
    # A place above the log is as high as before, and leads to what has come below it.
    assert '<a href="#outcome">See how it ended</a>' in end
    assert '<div id="summary" hx-swap-oob="true"></div>' in end
    # What has ended does not run now, here and at the next poll of any page.
    assert 'id="now-' not in end
    assert 'id="now-' not in text(alice.fragment("/now"))
    assert order(live) == ["result-head", "log-h", "inputs", "outcome"]
    reload = text(alice.get(url(result)))
    assert order(reload) == ["result-head", "outcome", "log-h", "inputs"]
    assert 'href="#out">Output' in reload
    assert "See how it ended" not in reload


def test_the_end_waits_until_all_lines_are_there(alice, make_job, make_result, add_entries, db):
    result = make_result(make_job(), "running", started_at=now())
    address = poll_url(text(alice.get(url(result))))
    add_entries(result, *map(str, range(700)))
    result.status, result.finished_at = Status.COMPLETED, now()
    db.commit()
    first = text(alice.fragment(address))
    assert len(lines(first)) == 500
    assert 'hx-trigger="every 300ms, wake"' in first
    assert "result-head" not in first
    second = text(alice.fragment(poll_url(first)))
    assert len(lines(second)) == 200
    assert '<div id="log-poll"></div>' in second
    assert "result-head" in second


def test_the_head_follows_the_state(alice, make_job, make_result, db):
    result = make_result(make_job(), "pending", pushed_at=None)
    page = text(alice.get(url(result)))
    assert "Queue unreachable: it starts when Redis is back." in page
    result.pushed_at = now()
    db.commit()
    news = text(alice.fragment(poll_url(page)))
    assert "Queued" in news
    assert "unreachable" not in news
    result.status, result.started_at, result.worker = Status.RUNNING, now(), "w-1"
    db.commit()
    news = text(alice.fragment(poll_url(news)))
    assert "Running" in news
    assert 'Worker <a href="/workers/">w-1</a>' in news
    assert alice.fragment(poll_url(news)).status_code == 204


def test_a_run_that_is_held_back_says_why(alice, make_job, make_result, db):
    cause = "It waits until it is its turn: one run at once."
    result = make_result(make_job(), "pending", pushed_at=None, cause=cause)
    page = text(alice.get(url(result)))
    assert cause in page
    assert "unreachable" not in page
    result.status, result.started_at, result.cause = Status.RUNNING, now(), None
    db.commit()
    news = text(alice.fragment(poll_url(page)))
    assert ("Running" in news, cause in news) == (True, False)


def test_polls_slow_down_when_nothing_happens(alice, make_job, make_result, db):
    job = make_job()
    quiet = make_result(job, "running", started_at=now() - timedelta(seconds=10), created_at=now())
    quieter = make_result(job, "running", started_at=now() - timedelta(minutes=1), created_at=now())
    assert 'hx-trigger="every 1000ms, wake"' in text(alice.get(url(quiet)))
    page = text(alice.get(url(quieter)))
    assert 'hx-trigger="every 3000ms, wake"' in page
    # Another pace than the page's is news.
    changed = alice.fragment(poll_url(page).replace("every=3000", "every=300"))
    assert changed.status_code == 200
    assert 'hx-trigger="every 3000ms, wake"' in text(changed)


def test_headings_tell_when_while_it_runs_and_how_long_afterwards(
    alice, make_job, make_result, add_entries, db
):
    running, ended = make_result(make_job(), "running"), make_result(make_job("Count"))
    for result in (running, ended):
        add_entries(result, "one", "two", grouping="look")
        group = db.scalars(select(EntryGroup).where(EntryGroup.result_id == result.id)).one()
        group.started_at, group.last_at = NOON, NOON + timedelta(seconds=31.2)
    db.commit()
    assert ">look</h3><time " in text(alice.get(url(running)))
    assert ">look</h3><span>31s</span>" in text(alice.get(url(ended)))


def test_a_page_opens_at_the_end_of_a_long_log(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, *map(str, range(250)))
    page = text(alice.get(url(result)))
    assert lines(page) == list(range(151, 251))
    assert "Show earlier lines" in page
    earlier = text(alice.fragment(url(result, "/log?before=151")))
    assert lines(earlier) == list(range(51, 151))
    # The heading that stood above line 151 moves up with the lines.
    assert '<li id="G1" hx-swap-oob="delete"></li>' in earlier
    first = text(alice.fragment(url(result, "/log?before=51")))
    assert lines(first) == list(range(1, 51))
    assert "Show earlier" not in first
    assert lines(text(alice.get(url(result, "?before=51")))) == list(range(1, 51))


def test_the_log_url_is_a_whole_page_without_htmx(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "running", started_at=now())
    add_entries(result, "one")
    page = text(alice.get(url(result, "/log?after=0")))
    assert "<html" in page
    assert lines(page) == [1]


# --- The log --------------------------------------------------------------------------------------------------


def test_a_line_of_a_long_log_can_be_linked(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "failed", cause="No.")
    add_entries(result, *map(str, range(300)))
    add_entries(result, "it broke", level="failure")
    page = text(alice.get(url(result)))
    assert lines(page) == list(range(1, 101))
    assert f'href="/results/{result.id}?line=301#L301"' in page
    around = text(alice.get(url(result, "?line=301")))
    assert 301 in lines(around)
    assert 'href="#L301"' in around
    for odd in ("0", "9999", "-1", "x", "9" * 30):
        assert alice.get(url(result, f"?line={odd}")).status_code == 200


def test_more_lines_follow_under_the_same_heading(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "completed")
    add_entries(result, *map(str, range(150)))
    page = text(alice.get(url(result)))
    more = re.search(r'hx-get="([^"]+)"[^>]*>Show more lines', page)[1].replace("&amp;", "&")
    rest = text(alice.fragment(more))
    assert lines(rest) == list(range(101, 151))
    assert "<h3" not in rest


def test_levels_and_words_filter_the_log(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "completed")
    for level in ("debug", "default", "info", "success", "warning", "failure", "error", "critical"):
        add_entries(result, f"{level} & <b>100%</b>", level=level)
    add_entries(result, "nothing_here")
    assert lines(text(alice.fragment(url(result, "/log?level=failure")))) == [6, 7, 8]
    assert lines(text(alice.fragment(url(result, "/log?level=debug&level=warning")))) == [1, 2, 5]
    assert lines(text(alice.fragment(url(result, "/log?q=_")))) == [9]
    found = text(alice.fragment(url(result, "/log?q=WARN")))
    assert lines(found) == [5]
    assert "<mark>warn</mark>ing &amp; &lt;b&gt;100%" in found
    # A search neither reaches into tags and entities, nor brings any of its own.
    assert "<mark>" not in text(alice.fragment(url(result, "/log?q=amp")))
    assert "No line fits." in text(alice.fragment(url(result, "/log?q=<script>")))
    page = text(alice.get(url(result, "?level=failure&q=e")))
    assert 'value="failure" checked' in page
    assert 'value="info">' in page


def test_debug_lines_are_shown_when_there_is_nothing_else(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "completed")
    add_entries(result, "x", level="debug")
    assert 'value="debug" checked' in text(alice.get(url(result)))
    add_entries(result, "y")
    assert 'value="debug">' in text(alice.get(url(result)))


def test_the_log_is_downloaded_as_text(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "completed")
    add_entries(result, "<b>one</b>", object_text="sw-1", object_url="/objects/a.b/1")
    with alice.get(url(result, "/log.txt")) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.mimetype == "text/plain"
        assert "<b>one</b>  [sw-1]" in text(answer)


# --- A run that ended -----------------------------------------------------------------------------------------


def test_a_finished_result_opens_with_its_cause(alice, make_job, make_result, add_entries):
    job = make_job(variables=[described("StringVar", "who", label="Who"), described("BooleanVar", "loud")])
    result = make_result(
        job,
        "failed",
        cause="Two hosts did not answer.",
        data={"who": "Ada", "loud": True, "old": [1]},
        return_value={"asked": 2},
    )
    add_entries(
        result, "host 1 is silent", level="failure", object_text="host-1", object_url="/objects/a.b/1"
    )
    page = text(alice.get(url(result)))
    assert (
        page.index("<h2>Two hosts did not answer.</h2>") < page.index('href="#L1"') < page.index('id="log"')
    )
    assert 'href="/objects/a.b/1"' in page
    assert 'hx-trigger="every 5000ms, wake"' in page  # what runs now
    assert "log-poll" not in page
    assert "http-equiv" not in page
    assert "<dt>Who</dt><dd>Ada</dd>" in page
    assert "<dt>Loud</dt><dd>Yes</dd>" in page
    assert "<dt>old</dt>" in page
    assert "<table" in page
    assert f'href="/jobs/local/greetings/Greet/?_from_result={result.id}"' in page


def test_output_is_text(alice, make_job, make_result):
    result = make_result(
        make_job(), output="name,role\n<b>sw</b>,access", return_value="name,role\n<b>sw</b>,access\n"
    )
    page = text(alice.get(url(result)))
    assert "name,role\n&lt;b&gt;sw&lt;/b&gt;,access</pre>" in page
    assert "Return value" not in page
    with alice.get(url(result, "/output.txt")) as answer:
        assert answer.mimetype == "text/plain"
        assert text(answer) == result.output


def test_long_output_is_cut_on_the_page(alice, make_job, make_result):
    result = make_result(make_job(), output="x" * 60_000)
    page = text(alice.get(url(result)))
    assert len(page) < 70_000
    assert "cut here" in page


@pytest.mark.parametrize("value", [0, False, "text", [], {}, [1, [2]], {"a": {HOSTILE: HOSTILE}}])
def test_any_return_value_is_shown(alice, make_job, make_result, value):
    result = make_result(make_job(), return_value=value, results={"kept": value})
    page = text(alice.get(url(result)))
    assert "Return value" in page
    assert "<script>alert" not in page


def test_what_jobs_write_is_never_markup(alice, make_job, make_result, add_entries):
    result = make_result(
        make_job(),
        "errored",
        cause=HOSTILE,
        name=HOSTILE[:100],
        data={HOSTILE: HOSTILE},
        output=HOSTILE,
        worker=HOSTILE,
    )
    add_entries(
        result, HOSTILE, level="failure", grouping=HOSTILE, object_text=HOSTILE, object_url="/objects/a.b/1"
    )
    pages = [url(result), "/results/", url(result, "/log"), url(result, "/log?q=script&level=failure")]
    for page in [
        text(alice.get(pages[0])),
        text(alice.get(pages[1])),
        *(text(alice.fragment(p)) for p in pages[2:]),
    ]:
        assert "<script>alert" not in page
        assert "<img" not in page


def test_a_result_outlives_its_job(alice, make_job, make_result, db):
    job = make_job()
    result = make_result(job, data={"who": "Ada"})
    db.delete(job)
    db.commit()
    page = text(alice.get(url(result)))
    assert "Ada" in page
    assert "Run again" not in page
    assert alice.post(url(result, "/rerun")).status_code == 404


def test_a_disabled_job_is_not_linked_for_others(alice, make_job, make_result):
    result = make_result(make_job(enabled=False))
    page = text(alice.get(url(result)))
    assert "/jobs/local" not in page
    assert alice.post(url(result, "/rerun")).status_code == 404


@pytest.mark.parametrize("rest", ["", "/log", "/log.txt", "/output.txt", "/cancel"])
def test_unknown_results_are_not_found(alice, rest):
    assert alice.get(NOWHERE + rest).status_code == 404
    assert alice.fragment(NOWHERE + rest).status_code == 404
    assert alice.get("/results/not-an-id" + rest).status_code == 404


def test_failures_are_told_by_their_first_line(alice, make_job, make_result, add_entries):
    result = make_result(make_job(), "errored", cause="ValueError: no `port`")
    add_entries(
        result,
        "Could not reach `sw-1`.\n\n```\nTraceback (most recent call last):\n  boom\n```",
        "```\nTraceback: only this\n```",
        "ValueError: no `port`\n\n```\nTraceback\n```",
        level="error",
    )
    page = text(alice.get(url(result)))
    summary = page[page.index('id="summary"') : page.index('id="outcome"')]
    assert "Could not reach <code>sw-1</code>." in summary
    assert "boom" not in summary
    assert "Traceback: only this" in summary
    assert "```" not in summary
    # The third says what the cause says: it is only linked.
    assert summary.count("ValueError") == 1
    assert '<a href="#L3">In line 3 of the log</a>' in summary


def test_a_long_cause_is_shown_in_part_and_whole_when_asked(alice, make_job, make_result, add_entries):
    short, long = make_result(make_job("A"), "failed", cause="No."), "x" * 1000
    page = text(alice.get(url(short)))
    assert "clamp" not in page
    assert "Show all" not in page
    result = make_result(make_job("B"), "failed", cause=long)
    # A cause is kept in part; the entry is not.
    add_entries(result, long * 5, level="failure")
    page = text(alice.get(url(result)))
    assert f'<h2 class="clamp">{long}</h2>' in page
    assert re.search(r'<details class="whole"><summary[^>]*>.*Show all</summary></details>', page)
    assert "In line 1 of the log" in page
    assert '<span class="clip"' not in page


@pytest.mark.parametrize(
    ("value", "output", "shown"),
    [
        ({"a": [1, None]}, "{'a': [1, None]}", False),
        ([1, 2], "[1, 2]\n", False),
        (7, "7", False),
        ({"a": 1}, "asked 1 host", True),
        (None, "None", True),
    ],
)
def test_output_that_is_the_return_value_is_not_said_twice(
    alice, make_job, make_result, value, output, shown
):
    page = text(alice.get(url(make_result(make_job(), return_value=value, output=output))))
    assert ('id="output"' in page) == shown
    assert ("Return value" in page) == (value is not None)


def test_long_entries_are_folded(alice, make_job, make_result, add_entries):
    result = make_result(make_job())
    add_entries(result, "\n".join("x" * 41), "y" * 4001, "\n".join("z" * 40))
    page = text(alice.get(url(result)))
    assert len(re.findall(r'class="msg tall" tabindex="0"', page)) == 2
    assert re.search(r'<div class="msg" hx-disable><p>z', page)


def test_inputs_left_empty_are_told_by_a_dash(alice, make_job, make_result):
    site = {"model": "inventory.site", "query_params": {}, "null_option": None}
    job = make_job(
        variables=[
            described("ObjectVar", "site", **site),
            described("ObjectVar", "other", **{**site, "null_option": "No site"}),
            described("MultiObjectVar", "sites", **site),
        ]
    )
    page = text(alice.get(url(make_result(job, data={"site": None, "other": None, "sites": []}))))
    inputs = page[page.index('id="inputs"') :]
    assert inputs.count('<span class="dim">–</span>') == 2
    assert "<dt>Other</dt><dd>No site</dd>" in inputs
    assert "None" not in inputs


# --- Cancel and run again -------------------------------------------------------------------------------------


def test_a_waiting_run_is_canceled(alice, make_job, make_result, db):
    result = make_result(make_job(), "pending")
    assert "Cancel Greet?" in text(alice.get(url(result, "/cancel")))
    assert alice.post(url(result, "/cancel")).status_code == 303
    db.refresh(result)
    assert result.status == "canceled"
    assert result.canceled_by == "alice"


def test_a_running_run_is_asked_to_stop(alice, make_job, make_result, db):
    result = make_result(make_job(), "running")
    head = text(alice.post(url(result, "/cancel"), headers={"HX-Request": "true"}))
    assert "Cancelling…" in head
    assert "<html" not in head
    db.refresh(result)
    assert result.cancel_requested_at is not None


def test_canceling_what_has_ended_changes_nothing(alice, make_job, make_result, db):
    result = make_result(make_job(), "completed")
    assert alice.post(url(result, "/cancel")).status_code == 303
    db.refresh(result)
    assert result.status == "completed"


def test_others_runs_are_not_canceled(browser, make_job, make_result, db):
    result = make_result(make_job(), "pending", "alice")
    assert "Cancel run" not in text(browser("bob").get(url(result)))
    assert browser("bob").get(url(result, "/cancel")).status_code == 403
    assert browser("bob").post(url(result, "/cancel")).status_code == 403
    db.refresh(result)
    assert result.status == "pending"
    db.commit()
    assert browser("root").post(url(result, "/cancel")).status_code == 303


def test_a_run_is_repeated_with_its_inputs(browser, make_job, make_result, db):
    job = make_job(variables=[described("StringVar", "who", min_length=None, max_length=None, regex=None)])
    earlier = make_result(job, "failed", data={"who": "Ada"}, commit=False)
    answer = browser("bob").post(url(earlier, "/rerun"))
    again = db.scalars(select(JobResult).where(JobResult.id != earlier.id)).one()
    assert answer.headers["Location"] == url(again)
    assert (again.data, again.commit, again.username) == ({"who": "Ada"}, False, "bob")


def test_sensitive_inputs_are_neither_shown_nor_used_again(alice, make_job, make_result, db):
    job = make_job(variables=[described("StringVar", "who", default="x")], has_sensitive_variables=True)
    earlier = make_result(job, sensitive=True)
    page = text(alice.get(url(earlier)))
    assert "Not kept" in page
    assert f"{url(earlier)}/rerun" not in page
    assert alice.post(url(earlier, "/rerun")).headers["Location"].startswith("/jobs/local/greetings/Greet/")
    assert len(db.scalars(select(JobResult)).all()) == 1


def test_inputs_that_no_longer_fit_lead_to_the_form(alice, make_job, make_result, db):
    job = make_job(variables=[described("IntegerVar", "count", min_value=5, max_value=None)])
    earlier = make_result(job, data={"count": 1, "gone": 2})
    answer = alice.post(url(earlier, "/rerun"))
    assert answer.headers["Location"] == f"/jobs/local/greetings/Greet/?_from_result={earlier.id}"
    assert "do not fit any more" in text(alice.get(answer.headers["Location"]))
    assert len(db.scalars(select(JobResult)).all()) == 1


@pytest.mark.parametrize("act", ["rerun"])
def test_acts_are_not_links(alice, make_job, make_result, act):
    assert alice.get(url(make_result(make_job()), f"/{act}")).status_code == 405


# --- The front page -------------------------------------------------------------------------------------------


def test_the_front_page_leads_the_first_admin_to_the_first_run(root, alice, make_job, make_result):
    assert root.get("/").headers["Location"] == "/welcome"
    assert alice.get("/").headers["Location"] == "/jobs/"
    page = text(root.get("/welcome"))
    assert "Redis does not answer" in page
    assert "Add your first job" in page
    make_result(make_job())
    assert root.get("/").headers["Location"] == "/jobs/"
    steps = text(root.fragment("/now?of=welcome"))
    assert "A first run has completed" in steps


def test_what_runs_now_is_in_the_rail(alice, make_job, make_result):
    job = make_job()
    for _ in range(7):
        make_result(job, "running")
    rail = text(alice.fragment("/now"))
    assert rail.count('<a id="now-') == 5
    assert alice.get("/now").headers["Location"] == "/results/?status=running"


def test_a_run_that_slack_asked_for_says_what_became_of_the_answer(alice, db, make_job, make_result):
    result = make_result(make_job(), origin="slack")
    request = SlackRequest(result_id=result.id, channel="C1")
    db.add(request)
    db.commit()
    page = text(alice.get(url(result)))
    assert "Asked for in Slack" in page
    assert "nswered in Slack" not in page
    request.state = "answered"
    db.commit()
    assert "Answered in Slack" in text(alice.get(url(result)))
    request.state, request.problem = "failed", "channel_not_found <b>"
    db.commit()
    page = text(alice.get(url(result)))
    assert "Not answered in Slack" in page
    assert "What Slack said: channel_not_found &lt;b&gt;" in page


# --- Keeping one for good -------------------------------------------------------------------------------------


def test_who_may_change_a_result_keeps_it_for_good_from_its_menu(alice, browser, make_job, make_result, cast):
    ended = make_result(make_job(), "completed", user_id=cast["alice"].id)
    address = url(ended)
    page = text(alice.get(address))
    assert f'action="{address}/pin"' in page
    assert "Keep for good" in page
    assert "Kept for good" not in page
    assert alice.post(f"{address}/pin", {}).status_code == 303
    page = text(alice.get(address))
    assert f'action="{address}/unpin"' in page
    assert "Remove when old" in page
    assert "Kept for good" in page
    assert "Remove when old" not in text(browser("bob").get(address))


def test_who_may_see_none_is_not_told_that_nothing_has_run(db, browser, root, make_job, make_result):
    assert "Nothing has run yet<" in text(root.get("/results/"))
    make_result(make_job())
    db.query(Permission).update({"enabled": False})
    db.commit()
    assert "Nothing has run yet that you may see" in text(browser("carol").get("/results/"))
