"""Plugins: which are loaded, what they register, and how their functions are called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.fan_out import Gather, Outcomes
from tests.schleuder import seed
from tests.schleuder.conftest import Here, Write

IMPORT = "from veritas.plugin import Plugin, jobschleuder\n"

CONFIG = """
plugins:
{plugins}
preprocessing:
  before: {{plugin_dir: plugins, plugin: before}}
"""


def config(*names: str) -> str:
    return CONFIG.format(plugins="\n".join(f"  {n}: {{plugin_dir: plugins, plugin: {n}}}" for n in names))


def plugin(name: str, body: str = "return kwargs", more: str = "") -> str:
    return f"{IMPORT}\n@jobschleuder({name!r})\ndef f(*args, **kwargs):\n    {body}\n\n{more}\n"


def test_the_plugin_of_the_document_runs_as_printed(here: Callable[..., Here], write: Write):
    project = write({"plugins/nornir_config_backup.py": seed.plugin(), "jobschleuder.yaml": seed.config()})
    found, wrong = here(project).found()
    assert found == ["plugins.nornir_config_backup/nornir_config_backup"]
    # The others that it lists are not there; one that is does not suffer.
    assert len(wrong) == 4
    assert all("No module named" in sentence for sentence in wrong), wrong
    outcome, _ = here(project).run(found[0], arguments={"where": "name=lab.local", "profile": "another"})
    assert outcome.status == "completed", outcome.cause
    assert outcome.return_value == {
        "where": "name=lab.local",
        # What the start returns counts more.
        "profile": "lab",
        "local_config_file": "conf/backup.yaml",
        "sot": "the truth",
    }


def test_what_is_listed_is_loaded_and_nothing_else(here: Callable[..., Here], write: Write):
    files = {
        "conf/jobschleuder.yaml": config("first", "broken", "second"),
        "jobschleuder.py": "import veritas.logging\n",
        "beside.py": plugin("beside"),
        "plain.py": "from jobs import Job\n\nclass Plain(Job):\n    def run(self):\n        pass\n",
        "plugins/unlisted.py": plugin("unlisted"),
        "plugins/tools.py": "ANSWER = 42\n",
        "plugins/first.py": plugin("twice", "return 1") + "@jobschleuder('own')\ndef g(): return 2\n",
        "plugins/second.py": plugin("twice", "return ANSWER", "from plugins.tools import ANSWER\n"),
        "plugins/broken.py": "import database_handling\n" + plugin("lost"),
        "plugins/before.py": plugin("before", "return []") + "@jobschleuder('a/b')\ndef g(): pass\n",
    }
    project = write(files)
    found, wrong = here(project).found()
    # Of a name that comes again the later one counts; what is listed as preprocessing is no job.
    assert found == ["plain/Plain", "plugins.first/own", "plugins.second/twice"]
    assert ["database_handling" in sentence for sentence in wrong] == [True]
    assert "pip install database_handling" in wrong[0]
    assert here(project).run("plugins.second/twice")[0].return_value == 42
    # The folder of plugins alone does as a folder of jobs, with the config above it.
    assert here(project / "plugins").found()[0] == ["first/own", "second/twice"]
    (project / "conf/jobschleuder.yaml").write_text("plugins: [a\n")
    found, wrong = here(project).found()
    assert (found, len(wrong)) == (["plain/Plain"], 1)
    assert "unable to read config" in wrong[0]
    # Without a config a file that says it is a plugin is one; and one elsewhere may say which are.
    (project / "conf/jobschleuder.yaml").unlink()
    assert "beside/beside" in here(project).found()[0]
    elsewhere = project.parent / "own.yaml"
    elsewhere.write_text("plugins: {one: {plugin_dir: written.plugins, plugin: first}}\n")
    assert here(project, str(elsewhere)).found()[0] == [
        "plain/Plain",
        "plugins.first/own",
        "plugins.first/twice",
    ]


def test_a_name_is_a_name_and_the_registry_is_one_for_all(here: Callable[..., Here], write: Write):
    more = """
@jobschleuder("it:on_startup")
def start():
    starts.append(1)

@jobschleuder("other:on_startup")
def never():
    raise AssertionError

starts = []
Plugin().add("jobschleuder", "added", lambda **kwargs: [len(starts), sorted(Plugin().get_registry("jobschleuder"))])
assert Plugin() is Plugin() and Plugin().get("jobschleuder", "it") is f
assert Plugin().get_jobschleuder_plugin("it:on_startup") is start and Plugin().get("updater", "it") is None
"""
    place = here(write({"it.py": plugin("it", more=more), "odd.py": plugin("a/b")}))
    found, wrong = place.found()
    assert found == ["it/added", "it/it"]
    assert "without slashes" in wrong[0]
    # None is nothing to be merged, and it is called once for all runs of a process.
    assert place.run("it/it", arguments={"a": 1})[0].return_value == {"a": 1}
    place.run("it/it")
    count, names = place.run("it/added")[0].return_value
    assert count == 1
    assert names == ["a/b", "added", "it", "it:on_startup", "other:on_startup"]


BEFORE = """
@jobschleuder("expand")
def expand(**kwargs):
    return [{"cmd": "it", "args": {"n": n, "saw": sorted(kwargs)}} for n in range(kwargs["count"])]

@jobschleuder("mixed")
def mixed(**kwargs):
    return [{"cmd": "it"}, {"cmd": "nobody", "args": {"a": 1}}, {"cmd": "it", "args": {}}]

@jobschleuder("bad")
def bad(**kwargs):
    return kwargs["returns"]

@jobschleuder("breaks")
def breaks(**kwargs):
    raise OSError("no database")

@jobschleuder("sot:build")
def build(token):
    return f"truth by {token}"

@jobschleuder("after")
def after(result, arguments, status):
    print(status, result, arguments)

@jobschleuder("all")
def after_all(**kwargs):
    print(kwargs["status"], kwargs["cause"], [each.ok for each in kwargs["outcomes"]])
"""


@pytest.fixture
def place(here: Callable[..., Here], write: Write) -> Here:
    before = "import sys\n\nif sys.version_info:\n    from veritas.plugin import jobschleuder\n" + BEFORE
    body = "if 'fails' in kwargs:\n        raise OSError(kwargs['fails'])\n    return kwargs.get('sot')"
    return here(
        write(
            {
                "jobschleuder.yaml": config("it", "broken") + "sot: {token: secret}\n",
                "plugins/it.py": plugin("it", body),
                "plugins/broken.py": "import veritas.tools\n",
                "plugins/before.py": before,
            }
        )
    )


def test_what_comes_before_asks_for_runs(place: Here):
    outcome, heard = place.run("plugins.it/it", arguments={"count": 2, "sot": True}, preprocessing="expand")
    assert outcome.status == "completed", outcome.cause
    saw = ["count", "sot"]
    asked = [("local/plugins.it/it", [{"n": 0, "saw": saw}, {"n": 1, "saw": saw}])]
    assert (heard.asked, heard.gathers) == (asked, "")
    outcome, heard = place.run(
        "plugins.it/it", arguments={"count": 0}, preprocessing="expand", postprocessing="all"
    )
    assert (outcome.status, heard.asked, heard.gathers) == ("completed", [], None)
    assert heard.entries == [("info", "expand", "got an empty list of jobs")]


def test_one_job_of_the_list_that_nobody_knows_does_not_hinder_the_others(place: Here):
    outcome, heard = place.run("plugins.it/it", preprocessing="mixed", postprocessing="all")
    assert outcome.status == "completed"
    # Its run is refused, and the run as a whole fails (see tests/worker/test_fan_out.py).
    assert heard.asked == [
        ("local/plugins.it/it", [{}]),
        ("local/plugins.it/nobody", [{"a": 1}]),
        ("local/plugins.it/it", [{}]),
    ]
    assert heard.gathers == "after_all"
    assert ("error", "mixed", "No plugin has a job called nobody.") in heard.entries


@pytest.mark.parametrize(
    ("data", "status", "cause"),
    [
        ({"preprocessing": "breaks"}, "errored", "OSError: no database"),
        ({"preprocessing": "unheard"}, "failed", "could not call plugin command unheard"),
        (
            {"preprocessing": "bad", "arguments": {"returns": "it"}},
            "failed",
            "must return a list of jobs, not str",
        ),
        ({"preprocessing": "bad", "arguments": {"returns": [{"args": {}}]}}, "failed", "Job 1 of the list"),
        ({"preprocessing": "bad", "arguments": {"returns": [{"cmd": "it", "args": [1]}]}}, "failed", "Job 1"),
        ({"postprocessing": "unheard"}, "failed", "could not call plugin command unheard"),
    ],
)
def test_what_cannot_be_called_is_a_failure_of_that_run(
    place: Here, data: dict[str, Any], status: str, cause: str
):
    outcome, heard = place.run("plugins.it/it", **data)
    assert (outcome.status, cause in outcome.cause) == (status, True), outcome.cause
    assert heard.asked == []
    told = [message for level, _, message in heard.entries if level == "critical"]
    # Only a search through all plugins comes by one that is broken.
    assert told == [each for each in told if "plugins.broken cannot be loaded" in each]
    assert bool(told) == ("unheard" in data.values())


def test_what_comes_after_is_called_however_the_job_ended(place: Here, capsys: pytest.CaptureFixture[str]):
    outcome, _ = place.run("plugins.it/it", arguments={"sot": True}, postprocessing="after")
    assert (outcome.status, outcome.return_value) == ("completed", "truth by secret")
    outcome, _ = place.run("plugins.it/it", arguments={"fails": "today"}, postprocessing="after")
    assert (outcome.status, outcome.cause) == ("errored", "The job raised OSError: today")
    facts = {"data": {}, "cause": "", "return_value": None, "output": "", "result_id": ""}
    pages = {0: [{**facts, "number": 1, "status": "completed"}, {**facts, "number": 2, "status": "errored"}]}
    outcomes = Outcomes(2, lambda after: pages.get(after, []))
    outcome, _ = place.run("plugins.it/it", postprocessing="all", gather=Gather("after_all", outcomes))
    assert (outcome.status, outcome.cause) == ("failed", "1 of 2 runs did not complete.")
    assert capsys.readouterr().out.splitlines() == [
        "completed truth by secret {'sot': True}",
        "errored None {'fails': 'today'}",
        "failed 1 of 2 runs did not complete. [True, False]",
    ]


def test_without_what_makes_it_there_is_no_source_of_truth(here: Callable[..., Here], write: Write):
    place = here(write({"it.py": plugin("it")}))
    outcome, _ = place.run("it/it", arguments={"sot": True})
    assert outcome.status == "failed"
    assert 'register a function as "sot:build"' in outcome.cause
    assert place.run("it/it", arguments={"sot": False})[0].return_value == {"sot": False}


def test_it_runs_in_its_project(here: Callable[..., Here], write: Write):
    body = "return [STARTED, Path('./conf/it.yaml').read_text(), os.getcwd()]"
    files = {
        "conf/jobschleuder.yaml": config("it"),
        "conf/it.yaml": "a: 1",
        "plugins/it.py": plugin(
            "it", body, "import os\nfrom pathlib import Path\nSTARTED = Path('conf/it.yaml').read_text()"
        ),
    }
    project = write(files)
    before = Path.cwd()
    outcome, _ = here(project).run("plugins.it/it")
    assert outcome.return_value == ["a: 1", "a: 1", str(project)]
    assert Path.cwd() == before
