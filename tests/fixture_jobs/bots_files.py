# ruff: noqa: F403, F405
"""Jobs of Bots Scheduler that are handed data files."""

from botscheduler import *


class CountWords(JobBase):
    info = {
        "job_class_name": "Count words",
        "arguments": [
            {"type": "file", "description": "Words"},
            {"type": "string", "description": "Which"},
        ],
    }

    def run(self, path, which, *more):
        with open(path) as file:
            return {"path": type(path).__name__, "lines": len(file.readlines()), "which": which, "more": more}
