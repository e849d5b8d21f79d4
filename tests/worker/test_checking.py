"""What an author is told of their jobs, and that all of it can be wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from store.settings import Settings
from webapp.cli import main
from worker.checking import Finding, check

GOOD = """
from jobs import ChoiceVar, FileVar, IntegerVar, InvalidValue, JSONVar, Job, SecretVar, StringVar

class Good(Job):
    '''Does what it says.'''
    host = StringVar(min_length=3, max_length=20, regex="^[a-z0-9-]+$")
    count = IntegerVar(min_value=1, max_value=5, default=2)
    colour = ChoiceVar(choices=[("r", "Red")])
    extra = JSONVar(required=False)
    table = FileVar(accept=[".txt"])
    password = SecretVar()

    def validate(self, data):
        if data["count"] == 5 or not data["table"].read():
            raise InvalidValue("Not five.")
"""

#: (body of a module, what is said of it)
WRONG = [
    ("class A(Job):\n    pass", ("advice", "", "docstring")),
    ("class A(Job):\n    'x'\n    api_token = StringVar()", ("warning", "api_token", "make it a SecretVar")),
    (
        "class A(Job):\n    'x'\n    class Meta:\n        template_name = 'gone.html'",
        ("warning", "", "gone.html: there is no such file"),
    ),
    ("class A(Job):\n    'x'\n    c = ChoiceVar(choices=[])", ("error", "c", "no choices")),
    (
        "class A(Job):\n    'x'\n    n = IntegerVar(max_value=3, default=9)",
        ("warning", "n", "default does not fit"),
    ),
    ("class A(Job):\n    'x'\n    s = StringVar(regex=r'^(a|a)*$')", ("warning", "s", "regex costly")),
    ("class A(Job):\n    'x'\n    c = ChoiceVar(choices=lambda: 1 / 0)", ("error", "c", "ZeroDivisionError")),
    (
        "class A(Job):\n    'x'\n    n = IntegerVar()\n    def validate(self, data):\n        1 / (data['n'] - 1)",
        ("error", "", "ZeroDivisionError"),
    ),
    (
        "class A(Job):\n    'x'\n    class Meta:\n        soft_time_limit = 20\n        time_limit = 10",
        ("warning", "", "before its soft_time_limit"),
    ),
    (
        "class A(Job):\n    'x'\n    class Meta:\n        name = 'Same'\nclass B(A):\n    'x'",
        ("warning", "", 'called "Same"'),
    ),
    ("class A(Job):\n    'x'\n    run = StringVar()", ("error", "", "cannot be a job")),
    ("import nothing_like_this", ("error", "", "No module named")),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "checked"
    path.mkdir()
    return path


def said(settings: Settings, folder: Path, *class_paths: str) -> list[Finding]:
    _, findings = check(replace(settings, jobs_roots=(folder,)), class_paths)
    return findings


def test_a_job_that_is_well_has_nothing_said_of_it(settings: Settings, folder: Path):
    (folder / "good.py").write_text(GOOD)
    assert said(settings, folder) == []


@pytest.mark.parametrize(("body", "expected"), WRONG)
def test_what_is_wrong_is_said_where_it_is(
    settings: Settings, folder: Path, body: str, expected: tuple[str, str, str]
):
    (folder / "wrong.py").write_text(f"from jobs import *\n{body}\n")
    weight, about, words = expected
    findings = said(settings, folder)
    assert any(
        (finding.weight, finding.about) == (weight, about) and words in finding.text for finding in findings
    ), findings


def test_only_what_was_asked_for_is_checked(settings: Settings, folder: Path):
    (folder / "one.py").write_text("from jobs import Job\nclass A(Job): pass\nclass B(Job): pass\n")
    (folder / "two.py").write_text("from jobs import Job\nclass A(Job): pass\n")
    assert [finding.class_path for finding in said(settings, folder, "local/one/")] == [
        "local/one/A",
        "local/one/B",
    ]


@pytest.mark.parametrize(("body", "code"), [(GOOD, 0), ("import nothing_like_this", 1)])
def test_the_command_ends_with_1_where_something_is_wrong(
    settings: Settings, folder: Path, body: str, code: int
):
    (folder / "some.py").write_text(body)
    arguments = ["check", "--instance", str(settings.instance), "--jobs", str(folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code
    assert f"Checked {1 - code} job" in result.output
    answer = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert [finding["weight"] for finding in answer] == ["error"] * code


def test_a_job_that_is_not_there_is_said(settings: Settings, folder: Path):
    arguments = ["check", "local/no/Such", "--instance", str(settings.instance), "--jobs", str(folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "There is no job local/no/Such." in result.output
