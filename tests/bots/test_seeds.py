"""The document of Bots Scheduler for authors: its template and each of its snippets run."""

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.seeds.conftest import SEEDS

SEED = SEEDS / "bots-scheduler.txt"

pytestmark = pytest.mark.skipif(not SEED.is_file(), reason="The documents are not at hand: set ERRAND_SEEDS.")

#: What stands in for the robots of PyBots, beside the job file.
ROBOTS = """
class NuclearLeaksBot:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def breaches_from_file(self, path):
        return {"from": str(path)}
"""


def text() -> str:
    return SEED.read_text("utf-8")


def template() -> str:
    """Return the template as it is printed, with the brace that is missing there, and items in place of dots."""
    found = re.search(r"from botscheduler import \*.+?return item1, item2, \.\.\.\n", text(), re.DOTALL)
    assert found is not None
    mended = re.sub(r"(        'enabled': +True,\n)", r"\1    }\n", found[0])
    assert mended != found[0]
    items = "        item1, item2 = Text('first'), Code('second')\n        return item1, item2\n"
    return re.sub(r"        return item1, item2, \.\.\.\n", items, mended)


def test_the_template_runs(tmp_path: Path, run_here: Callable[..., Any]):
    (tmp_path / "myjob.py").write_text(template())
    outcome, pieces = run_here(tmp_path, "myjob/TestJob")
    assert outcome.status == "completed", outcome.cause
    assert [piece["content"] for piece in pieces] == ["An example report", "first", "second"]
    # The same with the decorator that the document speaks of.
    (tmp_path / "decorated.py").write_text(template().replace("    def run(", "    @report\n    def run("))
    assert [piece["content"] for piece in run_here(tmp_path, "decorated/TestJob")[1]] == [
        "An example report",
        "first",
        "second",
    ]


def test_each_expression_of_reports_makes_one(tmp_path: Path, run_here: Callable[..., Any]):
    sections = re.findall(r'^Section\(".+"\)$', text(), re.MULTILINE)
    (nested,) = re.findall(r"Table\(\[\[img, Data\(d\)\]\]\)", text())
    assert len(sections) == 2
    (tmp_path / "shown.py").write_text(
        "from botscheduler import *\n\nclass Shown(JobBase):\n    info = {'job_class_name': 'Shown'}\n\n"
        "    def run(self, *args, **kwargs):\n"
        "        d, img = {'a': 1}, Image('https://example.com/x.png')\n"
        f"        return [{', '.join([*sections, nested])}]\n"
    )
    outcome, pieces = run_here(tmp_path, "shown/Shown")
    assert outcome.status == "completed", outcome.cause
    assert [piece["kind"] for piece in pieces] == ["heading", "heading", "table"]
    image, data = pieces[2]["rows"][0]
    assert (image["kind"], data["content"]) == ("image", {"a": 1})


def test_the_run_with_a_robot_runs(tmp_path: Path, run_here: Callable[..., Any]):
    found = re.search(r"^def run\(self, emails_domains_path.+?\n\n", text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    body = "    ".join(
        f"\n{dedent(found[0]).rstrip()}\n        return Data(results)\n".splitlines(keepends=True)
    )
    (tmp_path / "pybots.py").write_text(ROBOTS)
    (tmp_path / "nuclearleaks.py").write_text(
        "from botscheduler import *\nfrom pybots import *\n\nclass NuclearLeaksJob(JobBase):\n"
        "    info = {'job_class_name': 'Leaks', 'arguments': [{'type': 'string', 'description': 'File'}]}\n"
        + body
    )
    outcome, pieces = run_here(tmp_path, "nuclearleaks/NuclearLeaksJob", "/data/names.txt")
    assert outcome.status == "completed", outcome.cause
    assert [piece["content"] for piece in pieces] == [{"from": "/data/names.txt"}]
