"""A job with a robot of PyBots: a load error says what to install, until `pybots` is."""

from botscheduler import *
from pybots import NuclearLeaksBot


class LeaksCheck(JobBase):
    info = {
        "job_class_name": "Leaked addresses",
        "notes": "Looks the addresses in a data file up.",
        "arguments": [{"type": "file", "description": "Addresses"}],
        "report_title": "Leaked addresses",
    }

    def run(self, path, **kwargs):
        with NuclearLeaksBot() as bot:
            return [Data(bot.breaches_from_file(path))]
