"""Jobs that are commands: how their arguments are made, where they run, and how their end is told."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobs import (
    BooleanVar,
    ChoiceVar,
    DateVar,
    DecimalVar,
    InvalidData,
    JSONVar,
    MultiChoiceVar,
    SecretVar,
    ShellJob,
    StringVar,
    shell_jobs,
)
from jobs.describe import describe
from jobs.errors import BadJob
from jobs.shell import process
from jobs.shell.template import arguments, filled, misplaced, quoted
from tests.waiting import until
from worker.host import start_time
from worker.testing import TestedRun, run_job

NAMES = [("a b", "A"), ("c", "C")]


class Prints(ShellJob):
    """Print each argument in brackets."""

    word = StringVar(required=False)
    names = MultiChoiceVar(NAMES, required=False)
    loud = BooleanVar()
    day = DateVar(required=False)
    share = DecimalVar(required=False)
    options = JSONVar(required=False)
    command = ("printf", "[%s]", "{word}", "{names}", "-n={names}", "{loud}", "{day}", "{share}", "{options}")


def job(**entry: Any) -> type[ShellJob]:
    """Make a job of one entry of a table."""
    [made] = shell_jobs({"made": entry})
    return made


def stdout(run: TestedRun) -> str:
    return run.files["stdout"].decode()


def test_every_value_is_one_argument_as_text():
    data = {
        "word": "$(id)",
        "names": ["a b", "c"],
        "loud": True,
        "day": "2026-02-03",
        "share": "1.50",
        "options": {"a": [1]},
    }
    run = run_job(Prints, data)
    assert stdout(run) == '[$(id)][a b][c][-n=a b,c][true][2026-02-03][1.50][{"a": [1]}]'


def test_an_argument_that_is_only_an_empty_value_falls_away():
    assert stdout(run_job(Prints, {})) == "[-n=][false]"


def test_in_a_line_for_a_shell_each_value_is_a_word():
    texts: dict[str, Any] = {"a": "x'; rm -rf /", "b": ["1 2", "3"], "c": ""}
    assert quoted("do {a} {b} {{}} {c}", texts) == "do 'x'\"'\"'; rm -rf /' '1 2' 3 {} ''"
    assert filled("do {a}", texts) == "do x'; rm -rf /"
    assert list(arguments("{b}", texts)) == ["1 2", "3"]
    assert list(arguments("{c}", texts)) == []
    assert list(arguments("{c}{c}", texts)) == [""]


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("echo {x}; (cd a && echo -n={x}{x}) | grep $(echo {x} 'b' \"it's\") > {x}", "1111 1"),
        ("""echo "$(echo "a" {x})" "$(echo "{x}")" '{x}' "{x}" {x}""", "1 0 0 0 1"),
        ("echo {x} # it's {x}\necho a#' {x}'", "1 0 0"),
        ("echo `echo {x}` `echo \\{x}` {x} \\{x} ${x} $((1 + {x})) {x}", "0 0 1 0 0 0 1"),
        ('echo "${{v:-{x}}}" ${{v:-{x}}} {x} "${{v:-\'}}" {x}', "0 0 1 0"),
        ("echo {x} <<E\n{x}\nE", "1 0"),
        ("echo $'\\' {x}", "0"),
        ('echo "$(case a in a) echo "{x}";; esac)"', "0"),
    ],
)
def test_a_value_stands_only_where_it_is_one_word_to_the_shell(line: str, places: str):
    safe = [place == "1" for place in places.replace(" ", "")]
    assert len(misplaced(line)) == safe.count(False)
    made = job(command=line, shell=True, variables={"x": "StringVar"})
    if all(safe):
        describe(made, grouping="")
        return
    with pytest.raises(BadJob, match="where it is not one word to the shell"):
        describe(made, grouping="")


def test_a_value_is_handed_over_to_another_shell():
    made = job(
        command=["bash", "-c", "printf '[%s]' \"$1\"", "bash", "{word}"], variables={"word": "StringVar"}
    )
    assert stdout(run_job(made, {"word": "$(id)' b"})) == "[$(id)' b]"


def test_a_line_without_a_shell_is_taken_apart_before_values_are_put_in():
    made = job(command="printf '[%s]' 'a b' {word} '|'", variables={"word": "StringVar"})
    assert stdout(run_job(made, {"word": "c d"})) == "[a b][c d][|]"
    assert made._advice()[:1] == [
        "made gives | to the program as an argument: only with `shell` it means more."
    ]


def test_a_value_that_would_be_an_option_is_advised_about():
    """Of some programs an option runs another one: `tar --checkpoint-action=exec=...`."""
    free, bound = StringVar(), StringVar(regex="[^-].*")
    for command, variables, told in (
        (["tar", "-xf", "{a}"], {"a": free}, 1),
        ("tar -xf {a}", {"a": free}, 1),
        (["tar", "-xf", "{a}"], {"a": bound}, 0),
        (["tar", "-x", "--", "{a}"], {"a": free}, 0),
        (["tar", "{a}", "--", "{b}"], {"a": free, "b": free}, 1),
        (["tar", "--file={a}"], {"a": free}, 0),
        (["tar", "{a}"], {"a": ChoiceVar(choices=[("-v", "Say more")])}, 0),
        (["tar", "{a}"], {"a": "IntegerVar"}, 0),
    ):
        advice = job(command=command, variables=variables)._advice()
        assert len(advice) == told, command
        assert all("takes a {a} that begins with - for an option" in each for each in advice)


def test_what_sh_is_to_run_may_be_longer_than_an_argument():
    made = job(
        command="printf %s {a} {a} | wc -c", shell=True, variables={"a": StringVar(description="Long")}
    )
    assert stdout(run_job(made, {"a": "y" * 100_000})).strip() == "200000"


def test_secrets_belong_into_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INHERITED", "yes")
    made = job(
        command='printf "%s|" "$TOKEN" "$INHERITED" "$LEVEL"',
        shell=True,
        environment={"TOKEN": "t={token}", "LEVEL": "5"},
        variables={"token": "SecretVar"},
    )
    assert stdout(run_job(made, {"token": "a b"})) == "t=a b|yes|5|"
    assert made._advice() == []
    told = job(command=["echo", "{token}"], variables={"token": SecretVar()})._advice()
    assert told == [
        "made has the secret {token} among its arguments, where others on the machine can read it: give it in the "
        "environment."
    ]


@pytest.mark.parametrize(
    ("entry", "status", "cause", "code"),
    [
        ({"command": "true"}, "completed", "The command ended with exit code 0.", 0),
        ({"command": "false"}, "failed", "The command ended with exit code 1.", 1),
        (
            {"command": "false", "expects": [0, 1]},
            "completed",
            "The command ended with exit code 1.",
            1,
        ),
        (
            {"command": "no-such-program -x"},
            "failed",
            "The command ended with exit code 127: no-such-program was not found.",
            127,
        ),
        (
            {"command": "no-such-program", "shell": True},
            "failed",
            "The command ended with exit code 127: a program was not found.",
            127,
        ),
        (
            {"command": "/etc/passwd"},
            "failed",
            "The command ended with exit code 126: /etc/passwd cannot be run (Permission denied).",
            126,
        ),
        (
            {"command": "kill -9 $$", "shell": True},
            "failed",
            "The command was ended by the signal SIGKILL.",
            137,
        ),
    ],
    ids=lambda each: each["command"] if isinstance(each, dict) else "",
)
def test_how_a_command_ends_is_how_its_run_ends(entry: dict[str, Any], status: str, cause: str, code: int):
    run = run_job(job(**entry))
    assert (run.status, run.cause, run.return_value) == (status, cause, {"exit_code": code})
    assert run.files.keys() == {"stdout", "stderr"}


def test_a_script_without_its_interpreter_and_a_command_of_nothing_are_sentences(tmp_path: Path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    run = run_job(job(command=str(script)))
    assert run.cause == f"The command ended with exit code 127: the interpreter of {script} was not found."
    run = run_job(job(command=["{a}"], variables={"a": StringVar(required=False)}))
    assert (run.status, run.cause) == (
        "failed",
        "The command was not started: nothing is left of it, as its values are empty.",
    )


def test_arguments_that_no_system_takes_are_a_sentence():
    made = job(command=["true", *["{a}"] * 40], variables={"a": "TextVar"})
    run = run_job(made, {"a": "z" * 131_071})
    assert (run.status, run.cause) == (
        "failed",
        "The command was not started: its arguments are too long for this system.",
    )


def test_it_runs_in_a_folder_of_its_own_unless_it_names_one(tmp_path: Path):
    own = stdout(run_job(job(command="pwd"))).strip()
    assert (Path(own).exists(), own.endswith("/work")) == (False, True)
    (tmp_path / "old.csv").write_text("old")
    os.utime(tmp_path / "old.csv", (1, 1))
    made = job(
        command="pwd; echo 1 > new.csv; mkdir -p sub; echo 2 > sub/deep.csv; ln -s /etc/passwd link.csv; echo > x.txt",
        shell=True,
        folder=str(tmp_path),
        files=["*.csv", "**/*.csv"],
    )
    run = run_job(made)
    assert stdout(run).strip() == str(tmp_path)
    assert {name: content for name, content in run.files.items() if name.endswith("csv")} == {
        "new.csv": b"1\n",
        "sub_deep.csv": b"2\n",
    }
    gone = run_job(job(command="pwd", folder="/no/such"))
    assert (gone.status, gone.cause) == (
        "failed",
        "The folder /no/such is not there: the command was not started.",
    )


@pytest.mark.parametrize("report", ["text", "code", "json", "table", "markdown"])
def test_what_it_says_may_be_its_report(report: str, monkeypatch: pytest.MonkeyPatch):
    said = {"json": '[{"a": 1}]', "table": 'a,b\n1,"2,3"', "text": "\x1b[31mred\x1b[0m"}.get(
        report, "x **y**"
    )
    kept: list[Any] = []
    monkeypatch.setattr("worker.tested_run.TestContext.keep_report", lambda _, data: kept.append(data))
    made = job(command=["printf", "%s", "{said}"], report=report, variables={"said": "TextVar"})
    run_job(made, {"said": said})
    [[piece]] = [data["pieces"] for data in kept]
    expected = {
        "text": ("text", "red"),
        "code": ("code", "x **y**"),
        "json": ("data", [{"a": 1}]),
        "markdown": ("markdown", "x **y**"),
    }
    if report == "table":
        assert (piece["headers"], piece["rows"]) == (["a", "b"], [["1", "2,3"]])
    else:
        assert (piece["kind"], piece["content"]) == expected[report]


def test_an_output_that_is_no_such_report_is_told_and_does_no_harm():
    run = run_job(job(command="echo {{", report="json"))
    assert run.status == "completed"
    assert run.logged("warning", "What the command said is no JSON")
    run = run_job(job(command=["printf", "%s", 'a\n"b'], report="table"))
    assert run.logged("warning", "What the command said is no CSV")


def test_what_a_command_leaves_behind_ends_with_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "LAST_WORDS_SECONDS", 0.2)
    silent = run_job(job(command="sleep 1000 & echo $!", shell=True))
    chatty = run_job(job(command="(while :; do echo more; done) & echo $!", shell=True))
    for run in (silent, chatty):
        assert run.cause == "The command ended with exit code 0."
        pid = next(line for line in stdout(run).split() if line != "more")
        until(lambda pid=pid: start_time(int(pid)) is None, "it is gone")


def test_colours_stay_in_the_log_and_a_program_has_nothing_to_read():
    run = run_job(job(command="printf '\\033[1mbold\\033[0m\\n'; cat", shell=True))
    [entry] = run.logged(grouping="stdout")
    assert (entry.message, entry.said, entry.markdown) == ("bold", "\x1b[1mbold\x1b[0m", False)


class Tailored(ShellJob):
    """A command that is put together by code."""

    size = StringVar()
    choice = ChoiceVar(NAMES, required=False)
    expects = (4,)

    def argv(self, data: Any) -> list[str]:
        return ["sh", "-c", 'echo "$SIZE $1"; exit 4', "sh", data["choice"] or "none"]

    def environment(self) -> dict[str, str]:
        return {"SIZE": str(self.texts["size"])}

    def folder(self) -> Path:
        return Path("/")

    def prepare(self) -> None:
        self.log_info("Getting ready")


def test_a_class_may_do_each_part_in_its_own_way(tmp_path: Path):
    run = run_job(Tailored, {"size": "5"})
    assert (run.status, stdout(run)) == ("completed", "5 none\n")
    assert run.logged("info", "Getting ready", grouping="run")

    class Logs(Tailored):
        def log_folder(self) -> Path:
            return tmp_path / "logs" / "1"

    run_job(Logs, {"size": "6"})
    assert (tmp_path / "logs" / "1" / "stdout").read_text() == "6 none\n"


def test_a_description_says_what_a_command_is():
    described = describe(Prints, grouping="x")
    assert (described["dialect"], described["commit_default"]) == ("shell", True)
    assert described["description"] == "Print each argument in brackets."
    assert [each.get("most_bytes") for each in described["variables"][:3]] == [131_071, None, None]
    with pytest.raises(InvalidData):
        run_job(Prints, {"word": "a\0"})


#: An author who means a line for a shell.
RUNS = {"command": ["/bin/sh", "-c", "echo {a}"]}


class NamesAFact(ShellJob):
    files = StringVar()
    command = "ls"


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (NamesAFact, "A variable cannot be called files: a command's job uses that name itself."),
        (type("Empty", (ShellJob,), {}), "command is what to run"),
        (type("Braces", (ShellJob,), {"command": "awk '{print $1}'"}), "write {{ and }} for braces"),
        (type("Open", (ShellJob,), {"command": ["echo", "}"]}), "has a brace that belongs to nothing"),
        (type("Quotes", (ShellJob,), {"command": "echo 'a"}), "cannot be taken apart"),
        (type("Attribute", (ShellJob,), {"command": "echo {a.b}"}), "{a.b} in '{a.b}' is no variable"),
        (type("Format", (ShellJob,), {"command": "echo {a:>9}"}), "{a:>9} in '{a:>9}' is no variable"),
        (type("Conversion", (ShellJob,), {"command": "echo {a!r}"}), "{a!r} in '{a!r}' is no variable"),
        (type("Unknown", (ShellJob,), {"command": "echo {a}"}), "command names {a}, which is no variable"),
        (type("Runs", (ShellJob,), {"a": StringVar(), **RUNS}), "command has {a} in what another shell runs"),
        (
            type("RunsToo", (ShellJob,), {"a": StringVar(), "command": "env bash -o pipefail -ec 'ls {a}'"}),
            "command has {a} in what another shell runs",
        ),
        (type("Lists", (ShellJob,), {"command": ["ls"], "shell": True}), "with shell, command is a text"),
        (
            type("Environment", (ShellJob,), {"command": "ls", "added_environment": {"A=": ""}}),
            "environment has 'A='",
        ),
    ],
)
def test_what_cannot_be_a_command_is_said_in_a_sentence(cls: type[ShellJob], sentence: str):
    with pytest.raises(BadJob) as refusal:
        describe(cls, grouping="")
    assert sentence in str(refusal.value)


def test_values_that_are_python_s_own():
    texts = Prints()
    assert texts.argv({"day": date(2026, 1, 2), "share": Decimal("1E+3"), "names": [], "loud": False})[
        -2:
    ] == [
        "2026-01-02",
        "1000",
    ]
