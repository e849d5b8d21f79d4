"""`./errand run`: inputs that are asked for, and a log that is followed."""

import os
import pty
import re
from uuid import UUID

import pytest

from store.models import JobRecord, User
from store.text import strip_ansi
from tests.cli.conftest import ended, interrupt, interrupt_again, until_said
from tests.waiting import until
from tests.worker.conftest import on_sqlite

pytestmark = on_sqlite

#: The answer that takes the default.
DEFAULT = ""
#: How the text of several lines is ended at once.
NO_NOTE = "."


@pytest.fixture
def terminal(monkeypatch):
    """Have the commands of this test take their input for a terminal."""
    monkeypatch.setattr("webapp.cli.prompts.at_a_terminal", lambda: True)


def answer(portal, *lines, given=()):
    """Answer the questions of Prompted; what is stored waits for a worker."""
    return portal("run", "Prompted", *given, "--no-follow", input="\n".join(lines) + "\n")


def answers(**other):
    """Return the lines that answer all questions of Prompted, one a variable."""
    usual = {
        "name": "x",
        "count": DEFAULT,
        "flag": DEFAULT,
        "size": DEFAULT,
        "colours": DEFAULT,
        "note": NO_NOTE,
        "site": DEFAULT,
        "sites": DEFAULT,
    }
    lines = []
    for said in {**usual, **other, "confirmed": DEFAULT}.values():
        lines += [said] if isinstance(said, str) else said
    return lines


# --- Questions ---


def test_everything_is_asked_for_and_nothing_stands_for_the_default(portal, terminal):
    outcome = answer(portal, *answers())
    assert outcome.exit_code == 0, outcome.output
    result = portal.result()
    assert result.data == {
        "name": "x",
        "count": 3,
        "flag": True,
        "size": "s",
        "colours": [],
        "note": "",
        "site": None,
        "sites": [],
    }
    assert (result.username, result.commit) == ("root", False)
    assert UUID(outcome.stdout.splitlines()[-1]) == result.id
    for shown in (
        "What it is \ufffd[31mcalled.\n",
        "Name: ",
        "Count [3]: ",
        "Flag (y/n) [y]: ",
        "   2 Huge (1)\n",
    ):
        assert shown in outcome.stderr
    assert "\x1b" not in outcome.stderr


@pytest.mark.parametrize(
    ("name", "said", "stored"),
    [
        ("flag", "n", False),
        ("flag", "YES", True),
        # Its value before its number.
        ("size", "1", "1"),
        ("size", "3", "l"),
        ("size", "large", "l"),
        ("colours", "r, 3,Green", ["r", "b", "g"]),
        ("note", ["one", "", " two", "."], "one\n\n two"),
        ("count", "-7", -7),
    ],
)
def test_an_answer_is_understood(portal, terminal, name, said, stored):
    assert answer(portal, *answers(**{name: said})).exit_code == 0
    assert portal.result().data[name] == stored


@pytest.mark.parametrize(
    ("name", "said", "sentence"),
    [
        ("name", ["", "x"], "This field is required."),
        ("name", ["much too long", "x"], "Ensure this value has at most 10 characters (it has 13)."),
        ("count", ["many", "10", "9"], "Ensure this value is less than or equal to 9."),
        ("flag", ["perhaps", "y"], "Enter true or false."),
        (
            "size",
            ["4", "s"],
            "Select a valid choice. 4 is not one of the available choices. Choose from: s, 1, l.",
        ),
        (
            "colours",
            ["r,x", "r"],
            "Select a valid choice. x is not one of the available choices. Choose from: r, g, b.",
        ),
        ("site", ["nowhere", ""], "Nothing matches 'nowhere'."),
    ],
)
def test_what_does_not_fit_is_said_at_once_and_asked_for_again(portal, terminal, name, said, sentence):
    outcome = answer(portal, *answers(**{name: said}))
    assert outcome.exit_code == 0
    assert f"{sentence}\n" in outcome.stderr
    assert len(portal.results()) == 1


@pytest.mark.parametrize(
    ("name", "said", "chosen"),
    [
        ("site", "zug", "Zug"),
        ("site", ["bern", "2"], "Bern-2"),
        ("site", ["bern", "aar"], "Aarau"),
        ("sites", "aarau, zug", ["Aarau", "Zug"]),
    ],
)
def test_objects_are_found_by_a_search(portal, terminal, sites, name, said, chosen):
    outcome = answer(portal, *answers(**{name: said}))
    assert outcome.exit_code == 0
    keys = portal.result().data[name]
    assert (
        str(keys) == sites[chosen] if name == "site" else list(map(str, keys)) == [sites[n] for n in chosen]
    )


def test_objects_are_found_by_their_keys(portal, terminal, sites):
    answer(portal, *answers(site=sites["Zug"], sites=f"{sites['Zug']},{sites['Aarau']}"))
    data = portal.result().data
    assert (str(data["site"]), len(data["sites"])) == (sites["Zug"], 2)


def test_several_matches_are_listed_in_order(portal, terminal, sites):
    outcome = answer(portal, *answers(site=["bern", "1"]))
    assert "   1 Bern-1\n   2 Bern-2\nSite (number, or another search): " in outcome.stderr


def test_computed_choices_and_defaults_are_offered(portal, terminal, sites):
    lines = ["", "asks", "", "4", "", "", ""]
    outcome = portal("run", "Asks", "--no-follow", input="\n".join(lines) + "\n")
    assert outcome.exit_code == 0, outcome.output
    assert "Size [l]: " in outcome.stderr
    assert "Site (key or search) [Aarau]: " in outcome.stderr
    data = portal.result().data
    assert (data["size"], data["colours"], data["count"], str(data["site"])) == (
        "l",
        ["asks"],
        4,
        sites["Aarau"],
    )


def test_what_the_job_itself_refuses_is_asked_for_again(portal, terminal):
    outcome = answer(portal, *answers(name="nobody"), "somebody", DEFAULT)
    assert outcome.exit_code == 0, outcome.output
    assert "Nobody is not a name.\n" in outcome.stderr
    assert portal.result().data["name"] == "somebody"


def test_what_is_given_is_not_asked_for(portal, terminal):
    given = ["name=y", "count=1", "flag=no", "colours=r", "colours=g", "note=", "site=", "--data", "{}"]
    outcome = answer(portal, "l", DEFAULT, DEFAULT, given=given)
    assert outcome.exit_code == 0, outcome.output
    data = portal.result().data
    assert [data[name] for name in ("name", "count", "flag", "size", "colours")] == [
        "y",
        1,
        False,
        "l",
        ["r", "g"],
    ]


def test_with_nothing_left_to_ask_it_runs_at_once(portal, terminal):
    assert portal("run", "Passes", "--no-follow", input="").exit_code == 0
    assert len(portal.results()) == 1


def test_yes_asks_nothing(portal, terminal):
    assert portal("run", "Prompted", "name=x", "--yes", "--no-follow", input="").exit_code == 0
    assert portal.result().data["count"] == 3


def test_what_is_given_and_does_not_fit_ends_before_anything_is_asked(portal, terminal):
    outcome = answer(portal, given=["count=ten", "colour=r"])
    assert (outcome.exit_code, portal.results()) == (2, [])
    assert "count: Enter a whole number." in outcome.stderr
    assert "colour: Job data contained an unknown property" in outcome.stderr
    assert "Name:" not in outcome.stderr


@pytest.mark.parametrize("lines", [["x"], [*answers()[:-1], "n"]])
def test_who_gives_up_stores_nothing(portal, terminal, lines):
    outcome = answer(portal, *lines)
    assert (outcome.exit_code, portal.results()) == (2, [])
    assert "Nothing was stored." in outcome.stderr


def test_a_secret_is_not_echoed(portal, terminal, monkeypatch):
    from webapp.cli import prompts

    asked = []
    monkeypatch.setattr("click.prompt", lambda text, **options: asked.append(options) or "hunter2")
    kind = prompts._kind({"name": "password", "type": "SecretVar"})
    assert kind(portal.settings, {"name": "password", "type": "SecretVar"}, {}) == "hunter2"
    assert [options["hide_input"] for options in asked] == [True]


# --- Without a terminal ---


def test_without_a_terminal_all_that_is_wrong_is_said_at_once(portal):
    outcome = portal("run", "Prompted", "count=ten", "x=1", "size=4", input="never read\n")
    assert (outcome.exit_code, portal.results(), outcome.stdout) == (2, [], "")
    assert sorted(outcome.stderr.splitlines()) == [
        "Error: Nothing was stored.",
        "count: Enter a whole number.",
        "name: This field is required.",
        "size: Select a valid choice. 4 is not one of the available choices. Choose from: s, 1, l.",
        "x: Job data contained an unknown property",
    ]


def test_inputs_are_read_as_a_form_sends_them(portal, sites):
    given = [
        "name=a=b",
        'colours=["r", "b"]',
        'site={"name": "Zug"}',
        f"sites={sites['Aarau']}",
        'sites={"name": "Zug"}',
    ]
    outcome = portal("run", "Prompted", *given, "--data", '{"count": 5, "name": "never"}', "--no-follow")
    assert outcome.exit_code == 0, outcome.output
    data = portal.result().data
    assert (data["name"], data["count"], data["colours"]) == ("a=b", 5, ["r", "b"])
    assert (str(data["site"]), list(map(str, data["sites"]))) == (
        sites["Zug"],
        [sites["Aarau"], sites["Zug"]],
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["name"], "Give inputs as name=value, not 'name'."),
        (["name=x", "name=y"], "name: Give this once."),
        (["name=x", "--data", "[1]"], "Invalid JSON data:"),
        (["name=x", "--queue", "bulk"], '--queue: "bulk" is not a valid choice.'),
        (["name=x", "-u", "alise"], "There is no user 'alise'. Did you mean alice?"),
    ],
)
def test_what_cannot_be_asked_for_exits_with_2(portal, arguments, sentence):
    outcome = portal("run", "Prompted", *arguments)
    assert (outcome.exit_code, portal.results()) == (2, [])
    assert sentence in outcome.stderr


def test_an_unknown_job_exits_with_2(portal):
    outcome = portal("run", "local/prompting/Promted")
    assert outcome.exit_code == 2
    assert "Did you mean local/prompting/Prompted" in outcome.stderr


def test_a_job_that_is_not_enabled_is_refused_before_anything_is_asked(portal, terminal):
    portal.change(JobRecord, enabled=False)
    outcome = answer(portal)
    assert (outcome.exit_code, outcome.stderr) == (2, "Error: Prompted is not enabled to be run.\n")


def test_commit_is_what_is_said_else_what_the_job_says(portal):
    for arguments in (["--commit"], ["--no-commit"], []):
        portal("run", "Prompted", "name=x", "--no-follow", *arguments)
    assert [result.commit for result in portal.results()] == [True, False, False]


def test_a_job_of_the_second_dialect_cannot_be_asked_to_save_nothing(portal):
    outcome = portal("run", "DryRuns", "--no-follow", "--no-commit")
    said = "--no-commit: This job always saves what it changes. Give dryrun among its inputs instead.\n"
    assert outcome.exit_code == 2
    assert outcome.stderr.endswith(said)
    assert portal("run", "DryRuns", "dryrun=no", "--no-follow").exit_code == 0
    assert [(result.commit, result.data) for result in portal.results()] == [(True, {"dryrun": False})]


# --- Whose run it is ---


def test_it_is_the_run_of_who_is_named_else_of_the_only_superuser(portal, monkeypatch):
    portal("run", "Passes", "--no-follow")
    monkeypatch.setenv("ERRAND_USER", "bob")
    portal("run", "Passes", "--no-follow")
    portal("run", "Passes", "--no-follow", "-u", "alice")
    assert [result.username for result in portal.results()] == ["root", "bob", "alice"]


def test_nobody_is_chosen_among_several_superusers_or_none(portal):
    for superuser in (True, False):
        portal.change(User, superuser=superuser)
        outcome = portal("run", "Passes", "--no-follow")
        assert (outcome.exit_code, portal.results()) == (2, [])
        assert "--username NAME" in outcome.stderr


# --- Following ---


@pytest.mark.parametrize(
    ("job", "code", "end"),
    [
        ("Shouts", 0, "completed in S seconds: The job ran to its end."),
        ("SaysItFailed", 1, "failed in S seconds: The host did not answer."),
        ("Raises", 3, "errored in S seconds: "),
    ],
)
def test_the_exit_code_says_how_it_ended(portal, start_worker, job, code, end):
    start_worker()
    outcome = portal("run", job)
    assert outcome.exit_code == code
    last = re.sub(r"\d+\.\d\d seconds", "S seconds", outcome.stdout.splitlines()[-1])
    assert last.startswith(end)


def test_entries_are_lines_of_plain_text(portal, start_worker):
    start_worker()
    outcome = portal("run", "Shouts")
    assert re.sub(r"(?m)^\d\d:\d\d:\d\d|\d+\.\d\d", "T", outcome.stdout).splitlines() == [
        "T warning run first",
        "    second",
        "T info run good",
        "red",
        "completed in T seconds: The job ran to its end.",
    ]
    assert str(portal.result().id) in outcome.stderr


def test_what_a_run_reports_stands_below_its_log(portal, start_worker):
    start_worker()
    outcome = portal("run", "Reports", "--yes")
    assert outcome.exit_code == 0, outcome.stderr
    assert (
        outcome.stdout.index("First")
        < outcome.stdout.index("thing <1>")
        < outcome.stdout.index("completed in")
    )
    assert "thing <1>" not in portal("run", "Reports", "--yes", "--json").stdout.partition('"output"')[0]


def test_an_entry_says_what_it_is_about(portal, start_worker):
    start_worker()
    assert " success run success [an object]\n" in portal("run", "Stations").stdout


def test_entries_arrive_while_the_job_runs_and_ctrl_c_cancels_it(portal, start_worker, tmp_path):
    start_worker()
    process = portal.start("run", "WaitsForFile", f"folder={tmp_path}")
    assert " info run began with pid " in process.stdout.readline(), "while it runs"
    interrupt(process)
    code, out, err = ended(process)
    assert code == 4
    assert "Asked the run to cancel." in err
    assert out.splitlines()[-1].startswith("canceled in ")
    assert portal.result().canceled_by == "root"


def test_a_second_ctrl_c_leaves(portal):
    process = portal.start("run", "Stubborn", "folder=/nowhere")
    result = portal.until("pending")
    taken = {"status": "running", "worker": "elsewhere", "worker_host": "elsewhere"}
    portal.change(type(result), **taken)
    assert str(result.id) in process.stderr.readline()
    interrupt(process)
    until_said(process, "Asked the run to cancel. Ctrl-C again leaves.")
    interrupt_again(process)
    code, _, err = ended(process)
    assert code == 130
    assert f"Left. Its result is {result.id}." in err
    assert portal.result().cancel_requested_at is not None, "the first one had asked it to end"


def test_while_nobody_listens_it_says_so(portal):
    process = portal.start("run", "Passes")
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert lines[1] == "No worker listens on the queue default: the run waits for one.\n"
    interrupt(process)
    assert ended(process)[0] == 4


# --- At a real terminal ---


def test_at_a_real_terminal_a_person_answers_and_reads(portal, start_worker, sites):
    start_worker()
    ours, theirs = pty.openpty()
    process = portal.start("run", "Prompted", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, "\n".join(answers(name="Zoë", site="zug", note=["a", "."])).encode() + b"\n")
    screen = _screen(ours)
    assert process.wait(timeout=60) == 0, screen
    assert "completed in " in screen
    assert portal.result().return_value["site"] == "Zug"
    assert portal.result().data["name"] == "Zoë"


def _screen(terminal: int) -> str:
    """Return all that is written to a terminal until nobody can write to it any more."""
    shown = bytearray()

    def ended() -> bool:
        try:
            shown.extend(os.read(terminal, 65_536))
        except OSError:
            return True
        return False

    until(ended, "the command has closed its terminal", seconds=60)
    os.close(terminal)
    return strip_ansi(shown.decode("utf-8", "replace"))


def test_a_file_that_cannot_be_read_is_said_with_all_else(portal):
    outcome = portal("run", "ReadsAFile", "table=/no/such/file.csv", "other=1")
    assert outcome.exit_code == 2
    assert "table: /no/such/file.csv cannot be read: No such file or directory." in outcome.stderr
    assert "other: Job data contained an unknown property" in outcome.stderr


@pytest.fixture
def unreadable(tmp_path):
    """Return what may be named as a file and is none that a run can be given."""
    os.mkfifo(tmp_path / "pipe")
    return {
        "pipe": (tmp_path / "pipe", "is no file"),
        "device": ("/dev/null", "is no file"),
        "folder": (tmp_path, "is no file"),
        "nobody": ("~nobody-of-this-name/hosts.csv", "cannot be read"),
        "missing": (tmp_path / "hosts.csv", "cannot be read: No such file or directory."),
        "of the system": ("/proc/self/status", "cannot be read: Invalid argument."),
    }


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nobody", "missing", "of the system"])
def test_what_is_no_file_to_be_sent_is_refused(portal, unreadable, kind):
    path, sentence = unreadable[kind]
    refused = portal("run", "ReadsAFileTwice", "-u", "alice", "mark=x", f"table={path}")
    assert refused.exit_code == 2
    assert sentence in refused.stderr
    assert portal.results() == []


# --- What is asked for one run alone ---


def test_only_a_superuser_has_a_run_profiled(portal):
    outcome = portal("run", "Passes", "-u", "alice", "--profile", "--no-follow")
    assert outcome.exit_code == 2
    assert "--profile: Only a superuser may have a run profiled, unless ERRAND_DEBUG is on." in outcome.stderr
    assert portal.results() == []
    assert portal("run", "Passes", "-u", "root", "--profile", "--no-follow").exit_code == 0
    assert portal.result().profile


def test_everybody_does_while_debug_is_on(portal, monkeypatch):
    monkeypatch.setenv("ERRAND_DEBUG", "1")
    assert portal("run", "Passes", "-u", "alice", "--profile", "--no-follow").exit_code == 0
    assert portal.result().profile


def test_whoever_may_run_a_singleton_may_ignore_its_lock(portal):
    outcome = portal("run", "Single", "-u", "alice", "--ignore-singleton-lock", "--no-follow")
    assert outcome.exit_code == 0
    assert portal.result().ignore_singleton_lock
