# ruff: noqa: F403, F405
"""Jobs in the manner of Bots Scheduler, one behaviour each."""

from botscheduler import *
from ndscheduler.corescheduler import job


class Proxy(JobBase):
    """No job: it is subclassed here and elsewhere."""

    info = {"job_class_name": "Proxy", "arguments": [{"type": "string", "description": "Name"}]}


class BotsShell(Proxy):
    info = {
        "job_class_name": "Shell command",
        "notes": "Runs *nothing*.",
        "arguments": [{"type": "list", "description": "Command"}],
        "example_arguments": '["ls", "-l"]',
    }

    def run(self, *args, **kwargs):
        return {"args": args, "ids": [len(self.job_id), len(self.execution_id)]}


class BotsAll(JobBase):
    info = {
        "job_class_name": "All kinds",
        "arguments": [
            {"type": "string", "description": "Name"},
            {"type": "bool", "description": "Sure?"},
            {"type": "range", "description": "Level", "min": 2, "max": 8, "step": 3},
            {"type": "int", "description": "2nd name"},
            {"type": "string"},
        ],
    }

    def run(self, name, sure, level, second, last="z", *args, **kwargs):
        return [name, sure, level, second, last, *args]


class BotsReport(JobBase):
    info = {"job_class_name": "Report", "report_title": "Found", "arguments": []}

    @report
    def run(self, how="tuple"):
        self.results = "mine"
        shown = {
            "tuple": (Text("a"), Code("b")),
            "titled": [Title("Own"), Text("a")],
            "none": None,
            "item": Rule(),
        }
        return shown[how]


class BotsPlain(JobBase):
    info = {"job_class_name": "Plain", "report_title": "Found"}

    def run(self, how):
        shown = {
            "tuple": (Text("a"), Text("b")),
            "html": "<h1>Hi</h1>",
            "text": "hi",
            "json": [1, {"a": None}],
            "odd": [1, {2}],
        }
        return shown[how]


class BotsBreaks(job.JobBase):
    @classmethod
    def meta_info(cls):
        return {
            "job_class_string": f"{cls.__module__}.{cls.__name__}",
            "job_class_name": "Breaks",
            "notes": "Breaks.",
            "arguments": [],
            "example_arguments": "",
        }

    @classmethod
    def get_failed_description(cls):
        return "It did not go well."

    def run(self, *args, **kwargs):
        raise ValueError("no such bot")


class BotsOwnWay(JobBase):
    info = {"job_class_name": "Own way"}

    def __init__(self, job_id, execution_id):
        self.job_id = self.execution_id = "mine"

    @classmethod
    def run_job(cls, job_id, execution_id, *args, **kwargs):
        made = cls(job_id, execution_id)
        made._data = ["something"]
        made.log_info("from run_job")
        return made.run(len(job_id), *args)

    def run(self, first, *args, **kwargs):
        return first


class BotsOff(JobBase):
    info = {"job_class_name": "Off", "enabled": False}

    def run(self, *args, **kwargs):
        return None
