"""What is found in folders of jobs in the manner of Bots Scheduler."""

from pathlib import Path

from jobs.loading import Source
from worker.discover import Found, discover

FILES = {
    "bases.py": """
from botscheduler import *

class Base(JobBase):
    info = {"job_class_name": "Base"}

class Used(JobBase):
    info = {"job_class_name": "Used"}

class Alone(Base):
    info = {"job_class_name": "Alone", "arguments": [{"type": "string", "description": "run"}]}
""",
    "elsewhere.py": """
import bases as b
from bases import *

class Used(Used):
    info = {"job_class_name": "Elsewhere", "enabled": False}

class Nameless(b.Base):
    info = {"notes": "No label."}
    run = lambda self: None
""",
    "broken.py": "from bases import Alone\nimport no_such_robot\nclass More(Alone): pass\n",
    "older.py": """
from ndscheduler import job
from ndscheduler.job import JobBase
from ndscheduler.corescheduler import job as newer
from tinyscript.report import *

class Plain(job.JobBase):
    @classmethod
    def meta_info(cls):
        told = super().meta_info()
        told["notes"] = f"{told['job_class_string']}, {Text.__name__}, {newer.JobBase is JobBase}"
        return told

class BadInfo(JobBase):
    info = ["no", "dict"]

class BadArguments(JobBase):
    info = {"job_class_name": "x", "arguments": ["string"]}

class BadRange(JobBase):
    info = {"job_class_name": "x", "arguments": [{"type": "range", "step": 0}]}
""",
    "scheduler.py": "from ndscheduler.corescheduler import scheduler_manager\n",
}


def test_leaf_classes_are_jobs_and_what_is_wrong_is_said(tmp_path: Path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    source = Source("local", (str(tmp_path),))
    found = {each.module: each for each in discover([source])}
    assert {name: _labels(each) for name, each in found.items()} == {
        # A file that cannot be loaded still says what it subclasses.
        "bases": {},
        "broken": {},
        "elsewhere": {"Nameless": "Nameless", "Used": "Elsewhere"},
        "older": {"Plain": "Plain"},
        "scheduler": {},
    }
    assert [job["withdrawn"] for job in found["elsewhere"].jobs] == [False, True]
    # Without arguments beyond those that are described.
    assert found["elsewhere"].jobs[0]["variables"] == []
    assert found["older"].jobs[0]["description"] == "older.Plain, Text, True"
    sentences = {name: [error["message"] for error in each.errors] for name, each in found.items()}
    assert sentences["bases"] == []
    assert sentences["elsewhere"] == []
    assert [row["message"] for row in found["elsewhere"].advice] == [
        "Nameless says no job_class_name in its info: it is listed under the name of its class."
    ]
    assert sentences["broken"][0].endswith(
        "No module named 'no_such_robot'. Install it beside Errand (`pip install no_such_robot`), then refresh."
    )
    assert "the rest of a scheduler is Errand's own" in sentences["scheduler"][0]
    assert [text.partition("cannot be a job: ")[2] for text in sentences["older"][:3]] == [
        "Argument 1 must be a dict with type and description, not str.",
        "info must be a dict, not list.",
        "step of argument_1 must be a whole number that is more than 0.",
    ]
    # A look at one file finds the same.
    (again,) = (each for each in discover([source], only=[["local", "bases"]]) if each.module == "bases")
    assert _labels(again) == {}
    (tmp_path / "broken.py").unlink()
    (again,) = (each for each in discover([source], only=[["local", "bases"]]) if each.module == "bases")
    assert _labels(again) == {"Alone": "Alone"}
    assert again.jobs[0]["variables"][0]["name"] == "run"


def _labels(found: Found) -> dict[str, str]:
    return {job["class_name"]: job["name"] for job in found.jobs}
