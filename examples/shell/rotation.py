"""Commands in Python: a table as a dictionary, and a class that puts its command together by itself."""

from datetime import date, timedelta
from pathlib import Path

from jobs import IntegerVar, ShellJob, StringVar, shell_jobs

name = "Servers"

HOSTS = ("web-1", "web-2")

_tables = shell_jobs(
    {
        f"greet-{host}": {
            "description": f"Says hello to {host}.",
            "command": ["printf", "Hello, %s, from {who}\n", host],
            "variables": {"who": StringVar(default="Errand")},
        }
        for host in HOSTS
    }
)


class OldLogs(ShellJob):
    """List the logs that are older than some days."""

    days = IntegerVar(default=30, min_value=1)
    report_format = "text"

    def argv(self, data):
        newest = date.today() - timedelta(days=data["days"])
        return ["find", ".", "-name", "*.log", "!", "-newermt", newest.isoformat()]

    def folder(self):
        return Path(__file__).parent / "logs"

    class Meta:
        name = "Old logs"
        read_only = True


jobs = [*_tables, OldLogs]
