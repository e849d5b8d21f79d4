"""Jobs that run programs."""

import subprocess

from botscheduler import *


class ShellCommand(JobBase):
    info = {
        "job_class_name": "Shell command",
        "notes": "Runs a program, without a shell, and shows what it printed.",
        "arguments": [{"type": "list", "description": "Command"}],
        "example_arguments": '["ls", "-l", "/tmp"]',
        "report_title": "Output",
    }

    @report
    def run(self, *args, **kwargs):
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return [Text(f"It ended with {done.returncode}."), Code(done.stdout + done.stderr)]


class RawShellCommand(JobBase):
    """Switched off: nobody sees it, nor its runs. Take `enabled` away, refresh, and all of it is back."""

    info = {
        "job_class_name": "Raw shell command",
        "notes": "Runs a line in a shell.",
        "arguments": [{"type": "string", "description": "Line"}],
        "enabled": False,
    }

    def run(self, line, *args, **kwargs):
        return subprocess.run(line, shell=True, capture_output=True, text=True, check=False).stdout
