"""Tables of commands: which files are such, what they become, and where their mistakes are."""

from pathlib import Path

import pytest

from jobs.loading import Source, find_module, find_modules, install, is_stale, load_class, uninstall
from store.platform import Platform
from store.settings import Settings
from worker.discover import discover
from worker.snapshots import keep, materialise, take
from worker.testing import jobs_in, run_job


def table(folder: Path, text: str, name: str = "commands.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def errors(folder: Path) -> list[str]:
    return [
        error["message"] for module in discover([Source("local", (str(folder),))]) for error in module.errors
    ]


GOOD = """\
name: Disks
commands:
  disk-usage:
    name: Disk usage
    description: Tells how full a disk is.
    command: [echo, "{path}", 5, no, 1.10]
    variables:
      path: {type: ChoiceVar, choices: [/, no], default: no}
      log: StringVar
      also:
    time_limit: 60
    slack: [{command: "disk usage [path]", help: How full}]
    slack_report: {report_stdout: true}
    restricted: true
    environment: &common {LEVEL: 5}
  other:
    command: printenv LEVEL
    environment: {<<: *common, MORE: yes}
"""


def test_a_table_is_a_module_of_jobs(tmp_path: Path):
    path = table(tmp_path, GOOD)
    table(tmp_path, "- any: YAML\n  commands: none", "data.yaml")
    [found] = discover([Source("local", (str(tmp_path),))])
    assert (found.module, found.path, found.errors) == ("commands", str(path), [])
    first = found.jobs[0]
    assert (first["class_name"], first["name"], first["grouping"]) == ("disk-usage", "Disk usage", "Disks")
    assert (first["time_limit"], first["restricted"], first["dialect"]) == (60, True, "shell")
    assert first["slack_commands"][0]["namespace"] == "disk"
    assert first["slack_report"]["report_stdout"] is True
    assert [(each["name"], each["type"], each["default"]) for each in first["variables"]] == [
        ("path", "ChoiceVar", False),
        ("log", "StringVar", None),
        ("also", "StringVar", None),
    ]
    assert first["variables"][0]["choices"] == [["/", "/"], ["no", "no"]]
    with jobs_in(tmp_path):
        run = run_job("local/commands/disk-usage", {"path": "/", "log": "x", "also": "y"})
        assert run.files["stdout"] == b"/ 5 no 1.10\n"
        assert run_job("local/commands/other").files["stdout"] == b"5\n"


def test_an_edit_of_a_table_counts_with_the_next_run(tmp_path: Path):
    source = Source("local", (str(tmp_path),))
    path = table(tmp_path, "commands: {a: {command: echo one}}\n", "some.yml")
    module = find_module(source, "some")
    assert module is not None
    assert find_modules(source) == ([module], [])
    try:
        install([source])
        assert load_class([source], "local/some/a")[0].command == "echo one"
        assert not is_stale()
        path.write_text("commands: {a: {command: echo two}}\n")
        assert is_stale()
        uninstall()
        install([source])
        assert load_class([source], "local/some/a")[0].command == "echo two"
    finally:
        uninstall()


def test_of_two_files_with_one_name_the_first_counts(tmp_path: Path):
    table(tmp_path, "commands: {a: {command: ls}}")
    table(tmp_path, "commands: {b: {command: ls}}", "commands.yml")
    (tmp_path / "commands.py").write_text(
        "from jobs import shell_jobs\njobs = shell_jobs({'c': {'command': 'ls'}})\n"
    )
    found = {each.path: each for each in discover([Source("local", (str(tmp_path),))])}
    assert [job["class_name"] for each in found.values() for job in each.jobs] == ["c"]
    assert len(errors(tmp_path)) == 2
    assert all("is left out" in message for message in errors(tmp_path))


def test_a_table_and_its_scripts_reach_machines_without_them(
    tmp_path: Path, platform: Platform, settings: Settings
):
    (tmp_path / "own").mkdir()
    table(
        tmp_path / "own",
        'commands: {a: {command: [./go.sh, x]}, b: {command: ". $JOB_FOLDER/go.sh", shell: true}}',
    )
    (tmp_path / "own" / "go.sh").write_text('#!/bin/sh\necho "$1" "$0"\n')
    (tmp_path / "own" / "go.sh").chmod(0o755)
    snapshot = take(Source("local", (str(tmp_path / "own"),)))
    assert snapshot is not None
    with platform.session() as db:
        keep(db, [snapshot])
        db.commit()
    [unpacked] = materialise(platform, settings, snapshot.digest)
    (tmp_path / "own").rename(tmp_path / "gone")
    with jobs_in(unpacked):
        assert run_job("local/commands/a").files["stdout"] == f"x {unpacked}/go.sh\n".encode()
        assert run_job("local/commands/b").files["stdout"] == b" sh\n"


MISTAKES = """\
commands:
  typo:
    comand: ls
    variables:
      a: {type: IntVar}
      b:
        typ: StringVar
      c: {type: IntegerVar, min_value: x}
      d-e: StringVar
  unknown:
    command:
      - ls
      - "{path}"
  late:
    command: ls
    time_limit: soon
  report:
    command: ls

    report: pdf
  env:
    command: ls
    environment:
      "A B": x
  nothing:
  fine:
    command: ls
"""


def test_each_mistake_is_told_with_its_line_and_the_others_go_on(tmp_path: Path):
    table(tmp_path, MISTAKES)
    [found] = discover([Source("local", (str(tmp_path),))])
    assert [job["class_name"] for job in found.jobs] == ["fine"]
    told = " ".join(error["message"] for error in found.errors)
    for line, sentence in {
        3: "a command has no 'comand'. There are: variables, command,",
        2: "the command itself is missing",
        5: "there is no kind of variable 'IntVar'. There are: StringVar,",
        7: "StringVar has no 'typ'. There are: min_length,",
        8: "min_value of c must be a whole number.",
        9: "'d-e' cannot be the name of a variable",
        11: "command names {path}, which is no variable of the job.",
        16: "time_limit must be int or float, not str.",
        20: "report is 'pdf'; choose from: none, text, code, json, table, markdown, blocks.",
        24: "environment has 'A B'",
        25: "a command is a mapping, with at least `command`.",
    }.items():
        assert f"commands.yaml, line {line}: {sentence}" in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("commands: [a", "commands.yaml, line 1: this is no YAML: "),
        (
            "commands:\n",
            "commands.yaml, line 1: commands are a mapping, with at least one command by its name.",
        ),
        ("commands:\n  - ls", "commands.yaml, line 1: commands are a mapping"),
        ("commands:\n  a/b: {command: ls}", "commands.yaml, line 2: 'a/b' cannot be the name of a command"),
        ("commands:\n  a: {command: ls}\n  a: {command: ls}", "commands.yaml, line 3: a is there twice."),
        (
            "commands:\n  a: {command: ls}\njobs: 1",
            "commands.yaml, line 3: a table of commands has name and commands",
        ),
        ("commands:\n  a: {command: ls, delay: !x 5}", "commands.yaml, line 2: "),
        ("commands:\n  ? [a]\n  : {command: ls}", "commands.yaml, line 2: a name is a text."),
        ("commands: &a\n  a: *a", "commands.yaml: this table is nested too deep."),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, sentence: str):
    table(tmp_path, text)
    [told] = errors(tmp_path)
    assert sentence in told


def test_aliases_within_aliases_are_no_trap(tmp_path: Path):
    levels = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 9))
    table(tmp_path, f"x0: &x0 [1]\n{levels}\ncommands: {{a: {{command: ls}}}}")
    assert errors(tmp_path) == ["commands.yaml: this table has more than 100,000 parts."]


def test_a_table_in_python_says_where_its_mistakes_are(tmp_path: Path):
    text = "from jobs import shell_jobs\njobs = shell_jobs({'a': {'command': 'ls {b}'}, 'c': {'command': 'ls'}})\n"
    (tmp_path / "more.py").write_text(text)
    [found] = discover([Source("local", (str(tmp_path),))])
    assert [job["class_name"] for job in found.jobs] == ["c"]
    [told] = found.errors
    assert told["message"].endswith("a.command: command names {b}, which is no variable of the job.")
