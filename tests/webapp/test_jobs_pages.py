"""The list of jobs, and the form that asks for a run."""

import json
import re
import shlex
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete, select, update

from examples.inventory.models import Manufacturer
from store.models import Group, JobRecord, JobResult, LoadError, Permission
from store.settings import Settings
from worker.host import this_process
from worker.presence import Presence

from .conftest import NOON, Browser, described, running, signed_in, text

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
URL = "/jobs/local/greetings/Greet/"

VARIABLES = [
    described("StringVar", "who", default="world", min_length=2, max_length=20, regex=None),
    described("TextVar", "data", required=False, min_length=None, max_length=None, regex=None),
    described("IntegerVar", "times", default=1, min_value=1, max_value=9),
    described("BooleanVar", "loud", required=False, default=True, description="Say it **loudly**"),
    described("ChoiceVar", "tone", required=False, choices=[["w", "Warm"], ["f", "Formal"]]),
    described("ChoiceVar", "meta", choices=[[str(n), f"Number {n}"] for n in range(6)], default="3"),
    described(
        "MultiChoiceVar",
        "days",
        required=False,
        choices=[["mo", "Monday"], ["tu", "Tuesday"]],
        default=["tu"],
    ),
    described("MultiChoiceVar", "hours", required=False, choices=[[str(n), f"{n}:00"] for n in range(12)]),
]
VALID = {"v-who": "Ada", "v-times": "2", "v-meta": "4", "v-days": ["mo"], "_commit": "true"}


def results(db):
    with db.begin():
        return db.scalars(select(JobResult)).all()


# --- The list -------------------------------------------------------------------------------------------------


def test_the_list_groups_jobs_and_shows_their_latest_result(alice, make_job, make_result):
    job = make_job()
    make_job("Count", grouping="Numbers")
    make_result(job, "completed", created_at=NOON - timedelta(days=1))
    make_result(job, "failed", cause="No.")
    page = text(alice.get("/jobs/"))
    assert page.index("<h2>Greetings</h2>") < page.index("Greet</a>") < page.index("<h2>Numbers</h2>")
    assert "i-bad" in page
    assert "Last 2 runs: 1 completed, 1 failed" in page
    assert "Never run" in page


def test_the_list_says_when_a_schedule_runs_a_job_next(alice, db, make_job, make_schedule):
    job, other = make_job(), make_job("Count", grouping="Numbers")
    hours = [NOON + timedelta(hours=hour) for hour in (1, 2, 3, 4)]
    for hour, change in zip(hours, [{"enabled": False}, {"problem": "Ada has left."}, {}, {}], strict=True):
        schedule = make_schedule(job, **change)
        schedule.next_slot_at = schedule.wakes_at = hour
    over = make_schedule(other)
    over.next_slot_at = over.wakes_at = None
    db.commit()
    lines = re.findall(r'<div class="next[^>]*>(.*?)</div>', text(alice.get("/jobs/")))
    assert [re.findall(r'datetime="([^"]+)"', line) for line in lines] == [
        [f"{hours[2]:%Y-%m-%dT%H}:00:00Z"],
        [],
    ]


def test_the_list_finds_jobs(alice, make_job):
    make_job()
    make_job("Count", grouping="Numbers")
    found = text(alice.fragment("/jobs/?q=numb"))
    assert "Count</a>" in found
    assert "Greet</a>" not in found
    assert "<html" not in found
    assert "No job matches “&lt;b&gt;”" in text(alice.get("/jobs/?q=<b>"))


def test_the_address_of_a_list_says_only_what_was_chosen(alice, make_job):
    make_job()
    sent = {"q": "gre", "enabled": "", "installed": "", "read_only": "false"}
    found = alice.fragment(f"/jobs/?{urlencode(sent)}")
    assert found.headers["HX-Push-Url"] == "/jobs/?q=gre&read_only=false"
    group = re.search(r'<h2>([^<]+)</h2> <span class="n">', text(found))[1]
    assert "HX-Push-Url" not in alice.fragment(f"/jobs/?group={group}").headers


def test_who_may_see_no_job_is_not_told_that_there_is_none(alice, root, db, make_job):
    assert "There are no jobs yet<" in text(root.get("/jobs/"))
    make_job()
    db.execute(
        update(Permission).where(Permission.kind == "job").values(constraints=[{"grouping": "Nowhere"}])
    )
    db.commit()
    assert "There are no jobs yet that you may see<" in text(alice.get("/jobs/"))


def test_chips_count_and_filter(root, make_job, make_result):
    make_result(make_job("Bad"), "errored", cause="It broke.")
    make_result(make_job("Busy"), "running")
    make_job("Off", enabled=False)
    make_job("Quiet", hidden=True)
    page = text(root.get("/jobs/"))
    assert "Quiet</a>" not in page
    for show, name in (("failing", "Bad"), ("running", "Busy"), ("disabled", "Off"), ("hidden", "Quiet")):
        shown = text(root.get(f"/jobs/?show={show}"))
        assert shown.count('<li class="job') == 1
        assert f"{name}</a>" in shown


def test_a_job_fails_for_those_who_may_see_the_run_that_failed(alice, root, db, make_job, make_result):
    make_result(make_job("Hers"), "failed", "alice")
    make_result(make_job("Others"), "failed", "root")
    db.execute(update(Permission).where(Permission.kind == "result").values(constraints=[{"owner": "me"}]))
    db.commit()

    def failing(browser: Browser) -> list[str]:
        return re.findall(r"<h3><a [^>]*>(\w+)</a>", text(browser.get("/jobs/?show=failing")))

    assert (failing(alice), failing(root)) == (["Hers"], ["Hers", "Others"])


def test_what_is_not_usual_is_listed_when_asked_for(root, make_job):
    make_job("Usual")
    make_job("Gone", installed=False)
    make_job("Quiet", hidden=True)
    make_job("OnChange", receives="hook")
    make_job("OnPress", receives="button")

    def listed(query: str) -> set[str]:
        return set(re.findall(r"<h3><a [^>]*>(\w+)</a>", text(root.get(f"/jobs/?{query}"))))

    assert listed("") == {"Usual"}
    assert listed("show=gone") == listed("installed=false") == {"Gone"}
    assert listed("show=hidden") == {"Quiet", "OnChange", "OnPress"}
    assert listed("hidden=true") == {"Quiet"}
    assert listed("is_job_hook_receiver=True") == {"OnChange"}
    assert listed("is_job_button_receiver=any") == {"Usual", "OnPress"}
    assert listed("installed=any&hidden=any") == {"Usual", "Gone", "Quiet"}
    assert listed("installed=perhaps") == {"Usual"}


@pytest.mark.parametrize(
    "flag", ["enabled", "read_only", "approval_required", "commit_default", "has_sensitive_variables"]
)
def test_jobs_are_found_by_their_flags(root, make_job, flag):
    make_job("With", **{flag: True})
    make_job("Without", **{flag: False})

    def listed(query: str) -> set[str]:
        return set(re.findall(r"<h3><a [^>]*>(\w+)</a>", text(root.fragment(f"/jobs/?{query}"))))

    assert listed(f"{flag}=true") == {"With"}
    assert listed(f"{flag}=false&q=with") == {"Without"}
    # The chips keep it, and can be rid of it.
    page = text(root.fragment(f"/jobs/?{flag}=true"))
    assert f'href="/jobs/?show=favourites&amp;{flag}=true"' in page
    assert "Clear 1 filter" in page


def test_running_counts_only_runs_that_the_reader_may_see(browser, db, make_job, make_result):
    make_result(make_job("Busy"), "running", username="alice")
    with db.begin():
        db.execute(delete(Permission).where(Permission.kind == "result"))
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.add(
            Permission(
                name="Own", kind="result", actions=["view"], constraints=[{"owner": "me"}], groups=[everyone]
            )
        )
    assert "1 running" in text(browser("alice").get("/jobs/"))
    assert "1 running" not in text(browser("carol").get("/jobs/"))


def test_disabled_jobs_are_for_superusers(alice, root, make_job):
    make_job(enabled=False)
    assert "Greet" not in text(alice.get("/jobs/"))
    assert alice.get(URL).status_code == 404
    assert alice.post(URL).status_code == 404
    assert "disabled" in text(root.get(URL))


def test_load_errors_are_shown_whole_to_superusers_only(alice, root, db):
    error = LoadError(
        source="local",
        module="broken",
        path="/srv/jobs/broken.py",
        message="SyntaxError: <b>",
        traceback="File x",
        seen_at=NOON,
    )
    said = {"source": "local", "module": "fine", "path": "/srv/jobs/fine.py", "seen_at": NOON}
    db.add_all((error, LoadError(**said, message="Says <i>no</i> name.", advice=True)))
    db.commit()
    for path in ("/jobs/", "/admin/sources/"):
        assert "Says &lt;i&gt;no&lt;/i&gt; name." in text(root.get(path))
    page = text(root.get("/jobs/"))
    assert "SyntaxError: &lt;b&gt;" in page
    assert "1 job file could not be loaded" in page
    assert "1 piece of advice on job files" in page
    assert "File x" in page
    page = text(alice.get("/jobs/"))
    assert "1 job file could not be loaded" in page
    assert "/srv/jobs" not in page
    assert "File x" not in page
    assert "advice" not in page


@pytest.mark.parametrize("act", ["enable", "disable"])
def test_only_superusers_enable_and_disable(alice, root, make_job, db, act):
    job = make_job(enabled=act == "disable")
    assert alice.post(f"{URL}{act}").status_code == (403 if job.enabled else 404)
    assert root.post(f"{URL}{act}").status_code == 303
    db.refresh(job)
    # Lets go of SQLite's write turn, which the next request needs.
    db.commit()
    assert job.enabled == (act == "enable")
    assert root.get(f"{URL}{act}").status_code == 405


def test_only_superusers_reload(alice):
    # To her, sources are not there.
    assert alice.post("/jobs/refresh").status_code == 404


def test_a_job_without_inputs_runs_from_the_list(alice, make_job, db):
    make_job(variables=[])
    assert f'<form method="post" action="{URL}">' in text(alice.get("/jobs/"))
    answer = alice.post(URL)
    assert answer.headers["Location"] == f"/results/{results(db)[0].id}"


# --- The form -------------------------------------------------------------------------------------------------


def test_the_form_has_an_input_of_its_kind_for_each_variable(alice, make_job):
    job = make_job(variables=VARIABLES)
    page = text(alice.get(URL))
    assert 'name="v-who" value="world" maxlength="20" minlength="2" required' in page.replace(
        'minlength="2" maxlength="20"', 'maxlength="20" minlength="2"'
    )
    assert '<textarea class="in" id="id_data" name="v-data"' in page
    assert 'type="number" inputmode="numeric" value="1" min="1" max="9"' in page
    assert 'name="v-loud" value="true" checked' in page
    assert "Say it <strong>loudly</strong>" in page
    assert '<div class="seg"><label><input type="radio" name="v-tone" value="" checked>None</label>' in page
    assert '<option value="3" selected>Number 3</option>' in page
    assert 'name="v-days" value="tu" checked' in page
    assert page.count('name="v-hours"') == 12
    assert text(alice.get(f"/jobs/{job.id}/")).count('class="fld"') == page.count('class="fld"')


def test_a_run_is_asked_for(alice, make_job, db):
    make_job(variables=VARIABLES)
    answer = alice.post(URL, VALID)
    assert answer.status_code == 303
    (result,) = results(db)
    assert answer.headers["Location"] == f"/results/{result.id}"
    assert result.username == "alice"
    assert result.commit is True
    assert result.data == {
        "who": "Ada",
        "data": "",
        "times": 2,
        "loud": False,
        "tone": "",
        "meta": "4",
        "days": ["mo"],
        "hours": [],
    }


def test_a_dry_run_is_asked_for(alice, make_job, db):
    make_job(variables=[])
    alice.post(URL, {"_commit": "false"})
    assert results(db)[0].commit is False


def test_a_dry_run_comes_first_whatever_the_mode_says(alice, make_job, db):
    make_job(variables=VARIABLES)
    (button,) = re.findall(
        r'<button class="btn now-only" type="submit" name="(\w+)" value="(\w+)">', text(alice.get(URL))
    )
    assert button == ("_commit", "false")
    assert alice.post(URL, {**VALID, "_commit": ["true", "false"]}).status_code == 303
    assert results(db)[0].commit is False
    # What does not fit comes back as a dry run.
    page = text(alice.post(URL, {**VALID, "v-who": "", "_commit": ["true", "false"]}))
    assert 'name="_commit" value="false" checked' in page
    assert "Dry run first" not in page


def test_a_job_that_is_dry_by_default_says_so(alice, make_job):
    make_job(commit_default=False)
    page = text(alice.get(URL))
    assert "Dry run</span>" in page[page.index("<h1>") : page.index("<h2")]
    assert "Dry run first" not in page
    make_job("Look", read_only=True, commit_default=False)
    page = text(alice.get("/jobs/local/greetings/Look/"))
    assert "Read only" in page
    assert "Dry run" not in page


def test_the_page_tells_both_time_limits(alice, make_job):
    make_job()
    assert "<dt>Time limit</dt><dd>5m, hard 10m</dd>" in text(alice.get(URL))
    make_job("Long", soft_time_limit=90.0, time_limit=5400.0)
    assert "<dd>1m 30s, hard 1h 30m</dd>" in text(alice.get("/jobs/local/greetings/Long/"))


def test_the_page_offers_the_call_that_does_the_same(alice, make_job):
    make_job(variables=[described("StringVar", "who", default="O'Hara"), described("IntegerVar", "n")])
    (call,) = re.findall(r'data-copy-text="([^"]+)" hidden>', text(alice.get(URL)))
    words = shlex.split(unescape(call))
    assert words[:4] == ["curl", "-X", "POST", "http://localhost/api/v1/jobs/local/greetings/Greet/run"]
    assert json.loads(words[-1]) == {"data": {"who": "O'Hara", "n": None}, "commit": True}


def test_a_read_only_job_has_no_mode(alice, make_job, db):
    make_job(variables=[], read_only=True)
    assert "_commit" not in text(alice.get(URL))
    alice.post(URL, {"_commit": "true"})
    assert results(db)[0].commit is False


def test_a_job_of_the_second_dialect_has_no_mode_but_may_have_a_dry_run(alice, make_job, db):
    make_job(variables=[described("DryRunVar", "dryrun", label="Dry run", default=True)], dialect="2")
    page = text(alice.get(URL))
    assert "_commit" not in page
    assert "&#34;commit&#34;" not in page
    how = page[page.index("How to run") :]
    assert 'name="v-dryrun" value="true" checked' in how
    assert "This job asks for nothing." in page
    refused = alice.post(URL, {"_commit": "false"})
    assert refused.status_code == 422
    assert "_commit: This job always saves what it changes. Give dryrun among its inputs instead." in text(
        refused
    )
    alice.post(URL, {"v-dryrun": "true"})
    alice.post(URL, {})
    assert [(result.commit, result.data["dryrun"]) for result in results(db)] == [(True, True), (True, False)]
    heads = [text(alice.get(f"/results/{result.id}")) for result in results(db)]
    tags = [re.findall(r"</svg>(Dry run|Commit)</span>", head) for head in heads]
    assert tags == [["Dry run"], []]


def test_a_job_of_the_second_dialect_without_a_choice_shows_none(alice, make_job):
    make_job(variables=[], dialect="2")
    page = text(alice.get(URL))
    assert ("Mode" in page, 'name="_queue"' in page) == (False, False)
    assert "Queue default" in page


def test_queues_are_chosen_where_there_are_several(alice, make_job, db):
    make_job(variables=[], queues=["default", "bulk"])
    assert '<option value="bulk">bulk (no workers)</option>' in text(alice.get(URL))
    refused = alice.post(URL, {"_queue": "secret"})
    assert refused.status_code == 422
    assert '<a href="#queue">Queue</a>' in text(refused)
    alice.post(URL, {"_queue": "bulk"})
    assert results(db)[0].queue == "bulk"


def test_a_queue_is_shown_with_how_many_workers_listen(alice, make_job, platform):
    make_job(variables=[], queues=["default", "bulk"])
    for name, queues in (("one", ["default", "bulk"]), ("two", ["bulk"])):
        Presence(platform, kind="worker", name=name, queues=queues, process=this_process()).enter()
    page = text(alice.get(f"{URL}?_task_queue=bulk"))
    assert '<option value="default">default (1 worker)</option>' in page
    assert '<option value="bulk" selected>bulk (2 workers)</option>' in page


def test_errors_stand_beside_the_inputs_and_what_was_typed_stays(alice, make_job, db):
    make_job(variables=VARIABLES)
    wrong = {
        "v-who": "x",
        "v-data": "kept\nlines",
        "v-times": "many",
        "v-tone": "f",
        "v-hours": ["3"],
        "v-days": ["su"],
    }
    answer = alice.post(URL, {**wrong, "_commit": "false"})
    page = text(answer)
    assert answer.status_code == 422
    assert results(db) == []
    assert "<h2>4 inputs need a change</h2>" in page
    for name in ("who", "times", "meta"):
        assert f'<a href="#id_{name}">' in page
        assert f'id="v-{name}-e"' in page
    assert '<a href="#f-days">' in page
    assert 'value="x"' in page
    assert "\nkept\nlines</textarea>" in page
    assert 'name="v-times" value="many"' in page
    assert 'name="v-tone" value="f" checked' in page
    assert 'name="v-hours" value="3" checked' in page
    assert 'name="_commit" value="false" checked' in page
    # A box that was not ticked stays so, whatever its default.
    assert 'name="v-loud" value="true">' in page


@pytest.mark.parametrize("extra", [{"v-owner": "root"}, {"v-who": ["Ada", "Bob"]}], ids=["unknown", "twice"])
def test_what_the_form_does_not_have_is_refused(alice, make_job, db, extra):
    make_job(variables=VARIABLES)
    assert alice.post(URL, {**VALID, **extra}).status_code == 422
    assert results(db) == []


def test_fields_of_a_result_cannot_be_set(alice, make_job, db):
    make_job(variables=[])
    alice.post(URL, {"status": "completed", "username": "root", "user_id": "4"})
    (result,) = results(db)
    assert (result.status, result.username) == ("pending", "alice")


def test_inputs_are_filled_in_from_the_address(alice, make_job):
    make_job(variables=VARIABLES)
    page = text(alice.get(f"{URL}?who=Ada&loud=False&days=mo&_commit=False&times=<b>"))
    assert 'value="Ada"' in page
    assert 'name="v-loud" value="true">' in page
    assert 'name="v-days" value="mo" checked' in page
    assert 'name="v-days" value="tu">' in page
    assert 'name="_commit" value="false" checked' in page
    assert 'value="&lt;b&gt;"' in page


def test_inputs_are_filled_in_from_an_earlier_result(alice, make_job, make_result):
    job = make_job(variables=VARIABLES)
    earlier = make_result(job, data={"who": "Bob", "loud": False, "days": [], "times": 7}, commit=False)
    page = text(alice.get(f"{URL}?_from_result={earlier.id}"))
    assert 'value="Bob"' in page
    assert 'name="v-loud" value="true">' in page
    assert 'name="v-days" value="tu">' in page
    assert 'name="_commit" value="false" checked' in page
    for reference in ("", "x", "00000000-0000-4000-8000-000000000000"):
        assert 'value="world"' in text(alice.get(f"{URL}?_from_result={reference}"))


def test_inputs_of_another_job_are_not_taken(alice, make_job, make_result):
    make_job(variables=VARIABLES)
    other = make_result(make_job("Count"), data={"who": "secret"})
    assert "secret" not in text(alice.get(f"{URL}?_from_result={other.id}"))


def test_hostile_names_are_shown_as_they_are(alice, make_job, make_result):
    variable = described(
        "ChoiceVar",
        "x",
        label=HOSTILE,
        description=HOSTILE,
        choices=[[HOSTILE, HOSTILE], ["b", "\u202eevil\x00"]],
    )
    job = make_job(
        name=HOSTILE[:100], class_name="Greet", grouping=HOSTILE, description=HOSTILE, variables=[variable]
    )
    make_result(job, "failed", cause=HOSTILE)
    for page in (
        text(alice.get("/jobs/")),
        text(alice.get(URL)),
        text(alice.post(URL, {"v-x": HOSTILE + "no"})),
    ):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)" in page
        # Nothing that turns text around, and nothing that ends it.
        assert "\u202e" not in page
        assert "\x00" not in page


@pytest.mark.parametrize(
    "path", ["/jobs/a/b/c/", "/jobs/a/b/", "/jobs/%00/%00/%00/", "/jobs/local/greetings/Greet/nothing"]
)
def test_unknown_jobs_are_not_found(alice, make_job, path):
    make_job()
    assert alice.get(path).status_code == 404


# --- Pickers --------------------------------------------------------------------------------------------------

PICKERS = [
    described("ObjectVar", "maker", required=False, model="inventory.manufacturer", display_field="display", query_params={}, null_option="Nobody"),
    described("MultiObjectVar", "makers", model="inventory.manufacturer", display_field="display", query_params={}, null_option=None),
    described("ObjectVar", "type", model="inventory.devicetype", display_field="display", query_params={"manufacturer_id": "$maker"}, null_option=None),
]  # fmt: skip


@pytest.fixture
def with_objects(inventory_settings: Settings, db, cast, make_job):
    """A job that asks for objects, 60 manufacturers, and alice's browser."""
    from examples.inventory.models import DeviceType

    make_job(variables=PICKERS)
    for app in running(inventory_settings):
        data = app.extensions["errand"].data
        with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for number in range(60):
                maker = Manufacturer(name=f"Maker {number:02d}", slug=f"maker-{number}")
                maker.save()
                if number < 2:
                    DeviceType(manufacturer=maker, model=f"<Box {number}>", slug=f"box-{number}").save()
            session.commit()
        yield signed_in(app, db, cast["alice"])


def test_pickers_show_the_first_objects_and_say_that_there_are_more(with_objects: Browser):
    page = text(with_objects.get(URL))
    assert page.count('type="radio" name="v-maker"') == 52  # 50, nobody and none
    assert 'value="null"><span>Nobody</span>' in page
    assert page.count('type="checkbox" name="v-makers"') == 50
    assert "First 50 matches: search to see others." in page
    assert "Maker 55" not in page
    assert "&lt;Box 0&gt;" in page


def test_a_search_lists_what_matches_and_keeps_what_is_chosen(with_objects: Browser):
    choices = text(
        with_objects.fragment(f"{URL}choices/makers?_part=list&v-makers=3&v-makers=7&q-makers=maker+55")
    )
    assert choices.count("checked") == 2
    assert "Maker 55" in choices
    assert choices.count("<li>") == 3
    assert "Maker 10" not in choices


def test_a_search_that_finds_nothing_says_so(with_objects: Browser):
    assert "Nothing matches." in text(
        with_objects.fragment(f"{URL}choices/makers?_part=list&q-makers=%00%25_'")
    )


def test_a_choice_narrows_another_and_drops_what_no_longer_fits(with_objects: Browser):
    fits = text(with_objects.fragment(f"{URL}choices/type?v-maker=1&v-type=1"))
    assert 'value="1" checked' in fits
    assert "Box 1" not in fits
    assert "data-dropped" not in fits
    dropped = text(with_objects.fragment(f"{URL}choices/type?v-maker=2&v-type=1"))
    assert "data-dropped" in dropped
    assert "checked" not in dropped
    assert "Box 1" in dropped
    assert "Box 0" not in dropped


def test_choices_are_a_whole_page_without_htmx(with_objects: Browser):
    page = text(with_objects.get(f"{URL}choices/makers?v-makers=3&q-makers=55"))
    assert "<html" in page
    assert "Maker 55" in page
    assert 'name="v-makers" value="3" checked' in page


def test_searching_without_javascript_keeps_the_form_and_runs_nothing(with_objects: Browser, db):
    answer = with_objects.post(
        URL, {"_search": "makers", "q-makers": "55", "v-makers": ["3"], "v-maker": "null"}
    )
    page = text(answer)
    assert answer.status_code == 200
    assert results(db) == []
    assert "Maker 55" in page
    assert 'name="v-makers" value="3" checked' in page
    assert 'name="v-maker" value="null" checked' in page
    assert 'class="err"' not in page


def test_objects_are_chosen(with_objects: Browser, db):
    assert with_objects.post(URL, {"v-maker": "1", "v-makers": ["3", "7"], "v-type": "1"}).status_code == 303
    assert results(db)[0].data == {"maker": 1, "makers": [3, 7], "type": 1}


@pytest.mark.parametrize("value", ["9999", "x", "-1", "1e9", "9" * 40, "{}", "\x00"])
def test_objects_that_do_not_exist_are_refused(with_objects: Browser, db, value):
    answer = with_objects.post(URL, {"v-makers": ["3"], "v-type": value})
    assert answer.status_code == 422
    assert 'href="#f-type"' in text(answer)
    assert results(db) == []


@pytest.mark.parametrize("variable", ["nothing", "who"])
def test_choices_of_what_is_no_object_are_not_found(with_objects: Browser, variable):
    assert with_objects.fragment(f"{URL}choices/{variable}").status_code == 404


def test_a_model_that_is_gone_is_said_plainly(alice, make_job):
    make_job(variables=[{**PICKERS[0], "model": "gone.thing"}])
    page = text(alice.get(URL))
    assert "its plugin is not installed" in page


def test_records_are_not_changed_by_showing_them(alice, make_job, db):
    job = make_job(variables=VARIABLES)
    alice.get(URL)
    db.expire_all()
    assert db.get(JobRecord, job.id).variables == VARIABLES


def test_disabling_asks_first_and_works_without_javascript(root, make_job, db):
    job = make_job()
    page = text(root.get("/jobs/local/greetings/Greet/"))
    form = re.search(r'<form method="post" action="(/jobs/[^"]+/disable)"([^>]*)>', page)
    assert 'hx-confirm="Disable Greet?' in form[2]
    assert f'hx-post="{form[1]}"' in form[2]
    answer = root.post(form[1], headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/jobs/"
    db.refresh(job)
    assert not job.enabled
    db.commit()
    page = text(root.get("/jobs/local/greetings/Greet/"))
    assert "hx-confirm" not in page
    assert root.post("/jobs/local/greetings/Greet/enable").status_code == 303
    # In order to run it: back to its form.
    enabled = root.post("/jobs/local/greetings/Greet/enable", {"then": "run"})
    assert enabled.headers["Location"] == "/jobs/local/greetings/Greet/"
    assert root.post(form[1]).headers["Location"] == "/jobs/"
