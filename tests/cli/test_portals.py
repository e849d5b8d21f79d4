"""Commands that work alike on the instance here and on a portal elsewhere, over its API."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select
from werkzeug.serving import make_server

from store.models import ApiToken, FanOut, Gathering, JobRecord, JobResult, LogEntry, User
from store.secrets import new_token
from store.timing.recurrence import Recurrence
from tests.cli.conftest import Portal, ended, interrupt, until_said
from tests.worker.conftest import on_sqlite
from webapp.api.tokens import HERE
from webapp.app import create_app
from webapp.cli import main
from webapp.cli.portal import CANNOT, Elsewhere, Refusal
from worker.schedules import Timetable, create

pytestmark = on_sqlite

Call = Callable[..., Result]

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def server(portal: Portal) -> Iterator[str]:
    """The portal as others reach it; its address."""
    app = create_app(portal.settings)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    app.extensions["errand"].data.dispose()


@pytest.fixture
def token_of(portal: Portal) -> Callable[[str], str]:
    def token_of(username: str) -> str:
        plain, token_hash = new_token("errand")
        with portal.platform.session() as db:
            user = db.scalars(select(User).where(User.username == username)).one()
            db.add(ApiToken(user_id=user.id, prefix=plain[:12], token_hash=token_hash))
            db.commit()
        return plain

    return token_of


@pytest.fixture
def elsewhere(server: str, token_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands work on the portal by its address, as root."""
    monkeypatch.setenv("ERRAND_URL", server)
    monkeypatch.setenv("ERRAND_TOKEN", token_of("root"))
    # Nothing is to be read from it.
    monkeypatch.setenv("ERRAND_INSTANCE", "/nowhere")


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest, portal: Portal) -> str:
    if request.param == "elsewhere":
        request.getfixturevalue("elsewhere")
    return str(request.param)


def errand(*arguments: str, **variables: str) -> Result:
    return CliRunner(env=variables).invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def make_result(portal: Portal) -> Callable[..., str]:
    def make(**values: Any) -> str:
        with portal.platform.session() as db:
            job = db.scalars(select(JobRecord).where(JobRecord.class_name == "Passes")).one()
            user = db.scalars(select(User).where(User.username == values.pop("username", "alice"))).one()
            given = {
                "job_id": job.id,
                "class_path": job.class_path,
                "name": job.name,
                "user_id": user.id,
                "username": user.username,
                "time_limit": 600.0,
                "created_at": NOON,
                **values,
            }
            result = JobResult(**given)
            db.add(result)
            db.commit()
            return str(result.id)

    return make


@pytest.fixture
def failed(portal: Portal, make_result: Callable[..., str]) -> str:
    """A run that has failed, with two groupings in its log."""
    result_id = make_result(
        status="failed",
        cause="No \x1b[31mwater.",
        started_at=NOON,
        finished_at=NOON.replace(second=2),
        output="drip\n",
        data={"bed": "A3"},
        return_value={"litres": 0},
        last_seq=3,
    )
    entries = [
        {"level": "info", "grouping": "run", "message": "Opening\nthe valve"},
        {"level": "warning", "grouping": "run", "message": "Slow", "object_text": "bed A3"},
        {"level": "failure", "grouping": "end", "message": "No \x1b[31mwater"},
    ]
    with portal.platform.session() as db:
        result = db.get_one(JobResult, UUID(result_id))
        for seq, entry in enumerate(entries, start=1):
            row = {"object_text": None, "html": "", "attempt": 1, **entry, "seq": seq, "created_at": NOON}
            db.execute(insert(LogEntry).values(result_id=result.id, **row))
        db.commit()
    return result_id


# --- Results and logs -----------------------------------------------------------------------------------------


def test_what_a_run_asked_for_is_counted_and_run_again(portal: Portal, make_result: Callable[..., str]):
    asked = make_result(status="failed", gathers="ready", finished_at=NOON)
    of = {"parent_id": UUID(asked), "origin": "map", "origin_id": UUID(asked)}
    make_result(status="completed", map_number=1, **of)
    make_result(status="errored", map_number=2, **of)
    with portal.platform.session() as db:
        db.add(Gathering(result_id=UUID(asked), method="", size=2, total=2))
        db.add(
            FanOut(id=UUID(asked), result_id=UUID(asked), class_path="local/endings/Passes", stop_cause="")
        )
        db.commit()
    shown = errand("results", "show", asked).stdout.splitlines()
    assert "runs           1 completed, 1 errored, of 2 that it asked for" in shown
    again = errand("results", "rerun", "--incomplete", asked).stdout.strip()
    assert "runs           none made yet, of 1 that it asked for" in errand("results", "show", again).stdout


def test_results_are_listed_filtered_and_shown(place: str, failed: str, make_result: Callable[..., str]):
    waiting = make_result(username="bob", created_at=NOON.replace(hour=13), queue="bulk")
    path = "local/endings/Passes"
    first = f"{waiting}\tpending\t2026-01-31T13:00:00Z\tbob\t{path}\t\n"
    second = f"{failed}\tfailed\t2026-01-31T12:00:00Z\talice\t{path}\tNo water.\n"
    assert errand("results", "list").stdout == first + second
    for narrow in (
        ("--status", "failed", "--status", "denied"),
        ("--user", "alice"),
        ("--search", "WATER"),
        ("--queue", "default", "--job", path),
    ):
        assert errand("results", "list", *narrow).stdout == second
    assert errand("results", "list", "--since", "2026-01-31T12:30+00:00").stdout == first
    assert errand("results", "list", "--limit", "1").stdout == first
    assert errand("results", "list", "--since", "1h").stdout == ""
    (told,) = json.loads(errand("results", "list", "--user", "bob", "--json").stdout)
    assert (told["id"], told["queue"]) == (waiting, "bulk")

    shown = errand("results", "show", failed).stdout.splitlines()
    for line in (
        "state          failed",
        'returned       {"litres": 0}',
        "input bed      A3",
        "output         drip",
    ):
        assert line in shown
    assert json.loads(errand("results", "show", failed, "--json").stdout)["data"] == {"bed": "A3"}

    refused = errand("results", "list", "--job", "nonsense")
    assert (refused.exit_code, refused.stderr) == (1, "Error: job: Give a job's id or class path.\n")
    unknown = errand("results", "show", "nonsense")
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "Error: There is no such result, or you may not see it.\n",
    )


def test_a_run_is_canceled_and_run_again(
    place: str, portal: Portal, failed: str, make_result: Callable[..., str]
):
    waiting = make_result()
    assert errand("results", "cancel", waiting).stderr == "The run is canceled.\n"
    late = errand("results", "cancel", waiting)
    assert (late.exit_code, late.stderr) == (1, "Error: This run has already ended.\n")
    portal.change(JobResult, data={})
    again = errand("results", "rerun", failed)
    assert again.exit_code == 0, again.stderr
    made = {str(row.id): row for row in portal.results()}[again.stdout.strip()]
    assert (made.status, made.username) == ("pending", "root")
    assert {row.canceled_by for row in portal.results() if row.status == "canceled"} == {"root"}


def test_a_log_is_printed_and_its_end_is_the_exit_code(place: str, failed: str):
    whole = [
        "12:00:00 info run Opening",
        "    the valve",
        "12:00:00 warning run Slow [bed A3]",
        "12:00:00 failure end No water",
    ]
    plain = errand("logs", failed)
    assert (plain.exit_code, plain.stdout.splitlines()) == (0, whole)
    followed = errand("logs", failed, "-f")
    end = ["drip", "failed in 2.00 seconds: No water."]
    assert (followed.exit_code, followed.stdout.splitlines()) == (1, whole + end)
    assert errand("logs", failed, "--level", "failure").stdout.splitlines() == whole[3:]
    assert errand("logs", failed, "--grep", "SLOW").stdout.splitlines() == whole[2:3]
    said = [json.loads(line) for line in errand("logs", failed, "--json").stdout.splitlines()]
    assert [(each["seq"], each["level"]) for each in said] == [(1, "info"), (2, "warning"), (3, "failure")]
    assert errand("logs", "nonsense", "-f").exit_code == 2


# --- Where a command works ------------------------------------------------------------------------------------


def test_an_address_alone_is_the_portals_own_and_a_token_goes_elsewhere(
    portal: Portal, server: str, token_of: Callable[[str], str], failed: str
):
    at_home = errand("results", "list", ERRAND_URL="https://nowhere.invalid")
    assert failed in at_home.stdout
    token = token_of("carol")
    there = errand("results", "list", "--url", server, "--token", token, ERRAND_INSTANCE="/nowhere")
    assert failed in there.stdout
    named = ("--instance", str(portal.settings.instance))
    both = {"ERRAND_URL": "https://nowhere.invalid", "ERRAND_TOKEN": token}
    assert failed in errand("results", "list", *named, **both).stdout
    for arguments, variables, sentence in (
        (("--token", token), {}, "There is a token, but no address"),
        (("--url", server), {}, "There is an address, but no token"),
        (("--url", server, *named), {}, "Give --instance for the one here"),
        (("-u", "root"), both, "--username is for the instance here"),
        (("--url", "errand.example.com", "--token", token), {}, "is not the address of a portal"),
        (("--url", server, "--token", "two words"), {}, "holds characters that none has"),
    ):
        refused = errand("results", "list", *arguments, **variables)
        assert refused.exit_code == 2
        assert sentence in refused.stderr
    for command in (
        ("user", "create", "dora"),
        ("keys", "list"),
        ("runjob", "local/endings/Passes"),
    ):
        assert "on the portal's own machine only" in errand(*command, **both).stderr
    made = errand("token", "create", "--user", "root", **both)
    assert (made.exit_code, "elsewhere you make tokens of your own" in made.stderr) == (2, True)


def test_what_is_wrong_with_the_way_there_is_said_in_a_sentence(server: str):
    def said(url: str, token: str = "errand_x") -> str:
        outcome = errand("results", "list", ERRAND_URL=url, ERRAND_TOKEN=token)
        assert outcome.exit_code == 1
        assert outcome.stderr.count("\n") == 1, "one sentence"
        return outcome.stderr.removeprefix("Error: ").strip()

    assert said(server) == f"{server} refuses the token: This token is not known here."
    assert said("http://127.0.0.1:1") == "http://127.0.0.1:1 cannot be reached: Connection refused."
    secure = server.replace("http://", "https://")
    assert said(secure).startswith(f"{secure} cannot be reached over TLS: ")
    assert said(f"{server}/login") == f"There is no Errand at {server}/login (status 404)."


def test_nobody_outside_can_pass_for_whoever_sits_at_the_machine(server: str):
    import requests

    for name in (HERE, HERE.upper(), "errand_here", "HTTP_errand.here"):
        answer = requests.get(f"{server}/api/v1/jobs", headers={name: "root"}, timeout=10)
        assert answer.status_code == 401


# --- Running --------------------------------------------------------------------------------------------------


def test_a_run_elsewhere_is_asked_for_followed_and_ends_as_it_does_here(
    elsewhere: None, portal: Portal, start_worker: Callable[..., Any], tmp_path: Any, live: Any
):
    start_worker(ERRAND_INSTANCE=str(portal.settings.instance))
    shouts = portal("run", "Shouts")
    assert shouts.exit_code == 0, shouts.stderr
    assert shouts.stdout.splitlines()[0].endswith(" warning run first")
    assert shouts.stdout.splitlines()[-1].endswith("seconds: The job ran to its end.")
    assert "thing <1>\n" in portal("run", "Reports").stdout
    assert portal("run", "SaysItFailed").exit_code == 1
    assert portal("run", "Raises", "--json").exit_code == 3

    (tmp_path / "hosts.csv").write_text("a,1\nb,2\n")
    files = (f"table=@{tmp_path / 'hosts.csv'}", "note=x")
    sent = portal("run", "ReadsAFile", *files, "--json")
    assert sent.exit_code == 0, sent.stderr
    result = json.loads(sent.stdout)
    assert result["return_value"]["rows"] == [["a", "1"], ["b", "2"]]
    assert (result["return_value"]["name"], result["user"]) == ("hosts.csv", "root")

    process = portal.start("run", "WaitsForFile", f"folder={tmp_path}")
    assert " info run began with pid " in process.stdout.readline(), "while it runs"
    interrupt(process)
    until_said(process, "Asked the run to cancel. Ctrl-C again leaves.")
    code, out, _ = ended(process)
    assert (code, out.splitlines()[-1].split()[0]) == (4, "canceled")


def test_what_a_portal_elsewhere_refuses_is_said_and_exits_with_2(elsewhere: None, portal: Portal):
    outcome = portal("run", "Prompted", "count=ten", "x=1")
    assert (outcome.exit_code, portal.results()) == (2, [])
    for sentence in (
        "count: Enter a whole number.",
        "name: This field is required.",
        "x: Job data contained",
    ):
        assert sentence in outcome.stderr
    missing = portal("run", "ReadsAFile", "table=@/no/such/file.csv")
    assert (missing.exit_code, portal.results()) == (2, [])
    assert "table: /no/such/file.csv cannot be read: No such file or directory." in missing.stderr
    assert portal("run", "local/endings/Pusses").exit_code == 2
    left = portal("run", "Passes", "--no-wait", "--commit")
    assert (left.exit_code, left.stdout) == (0, f"{portal.result().id}\n")


def test_while_nobody_listens_it_is_said_elsewhere_too(elsewhere: None, portal: Portal):
    process = portal.start("run", "Passes")
    until_said(process, "No worker listens on the queue default: the run waits for one.")
    interrupt(process)
    assert ended(process)[0] == 4


# --- What administrators do -----------------------------------------------------------------------------------


def test_jobs_workers_and_queues_are_seen_alike(place: str, portal: Portal):
    listed = errand("jobs", "list").stdout
    assert "local/prompting/Prompted\tenabled\tPrompted\n" in listed
    shown = errand("jobs", "show", "local/prompting/Prompted").stdout.splitlines()
    assert any(line.startswith("input size") and "one of s, 1, l" in line for line in shown)
    assert any(line.startswith("input name") and "required" in line for line in shown)
    assert json.loads(errand("jobs", "show", "local/endings/Passes", "--json").stdout)["name"] == "Passes"
    assert errand("queues", "pause", "default").exit_code == 0
    assert "default\tpaused\t0\t0\t0\n" in errand("queues", "list").stdout
    assert errand("queues", "resume", "default").exit_code == 0
    assert errand("queues", "pause", "nothing").exit_code == 1
    assert (errand("workers", "list").stdout, errand("workers", "drain", "w-1").exit_code) == ("", 1)


def test_jobs_of_a_portal_elsewhere_are_completed(elsewhere: None):
    words = {"COMP_WORDS": "errand run local/endings/P", "COMP_CWORD": "2"}
    runner = CliRunner(env={**words, "_ERRAND_COMPLETE": "bash_complete"})
    offered = runner.invoke(main, prog_name="errand", complete_var="_ERRAND_COMPLETE")
    assert offered.stdout == "plain,local/endings/Passes\n"


def test_what_a_portal_has_no_call_for_is_said(elsewhere: None):
    there = Elsewhere(os.environ["ERRAND_URL"], os.environ["ERRAND_TOKEN"])
    for path in ("/wishes", "/results/x/grant", "/jobs/local/endings/Passes/wish"):
        with pytest.raises(Refusal) as refused:
            there.post(path)
        assert refused.value.message == CANNOT
    with pytest.raises(Refusal) as unknown:
        there.post(f"/results/{UUID(int=0)}/cancel")
    assert unknown.value.message == "There is no such result, or you may not see it."


def test_schedules_are_shown_paused_and_run(portal: Portal):
    with portal.platform.session() as db:
        job = db.scalars(select(JobRecord).where(JobRecord.class_name == "Passes")).one()
        root = db.scalars(select(User).where(User.username == "root")).one()
        timetable = Timetable("each day", Recurrence("daily", NOON))
        made = create(db, portal.settings, job=job, raw={}, user=root, timetable=timetable)
        key = str(made.id)
    (line,) = [row.split("\t") for row in errand("schedules", "list").stdout.splitlines()]
    assert (line[0], line[1], line[3], line[4], line[6]) == (key, "on", "root", job.class_path, "each day")
    assert errand("schedules", "pause", key, "-u", "carol").stderr.startswith("Error: ")
    assert errand("schedules", "pause", key).exit_code == 0
    assert errand("schedules", "show", key).stdout.splitlines()[3] == "state          paused"
    assert errand("schedules", "resume", key).exit_code == 0
    ran = errand("schedules", "run", key)
    assert ran.stdout.strip() == str(portal.result().id), ran.stderr
    assert json.loads(errand("schedules", "show", key, "--json").stdout)["data"] == {}
    assert errand("schedules", "show", "nonsense").exit_code == 1


def test_a_run_is_approved_by_somebody_else_or_denied(portal: Portal):
    portal.change(JobRecord, approval_required=True)
    for _ in range(2):
        assert portal("run", "Passes", "--no-wait", "-u", "root").exit_code == 0
    first, second = (str(result.id) for result in portal.results())
    listed = [row.split("\t") for row in errand("approvals", "list").stdout.splitlines()]
    assert [(row[0], row[1], row[3]) for row in listed] == [(first, "run", "root"), (second, "run", "root")]
    own = errand("approvals", "approve", first)
    assert (own.exit_code, own.stderr) == (1, "Error: You cannot approve your own job request!\n")
    portal.change(User, superuser=True)
    assert errand("approvals", "approve", first, "-u", "bob", "--comment", "Fine.").exit_code == 0
    assert errand("approvals", "deny", second, "-u", "bob").exit_code == 2
    assert errand("approvals", "deny", second, "-u", "bob", "--comment", "Not today.").exit_code == 0
    late = errand("approvals", "deny", second, "-u", "bob", "--comment", "Again.")
    assert late.exit_code == 1
    assert {str(row.id): row.status for row in portal.results()} == {first: "pending", second: "denied"}
    assert errand("approvals", "list").stdout == ""
    assert errand("approvals", "approve", "nonsense").exit_code == 1
