"""Jobs that change objects, and then something happens."""

import os
import signal
import sys
import time
from pathlib import Path

from examples.inventory.models import Manufacturer
from jobs import Job, StringVar


class Change(Job):
    """Make a manufacturer, and then do what `then` says."""

    then = StringVar(default="end")
    folder = StringVar(required=False)

    def run(self, data, commit):
        Manufacturer(name="New", slug="new").save()
        self.act(data["then"], data["folder"])
        self.then = data["then"]

    def post_run(self):
        if self.then == "exit after":
            sys.exit(0)
        if self.then == "die after":
            os.kill(os.getpid(), signal.SIGKILL)

    def act(self, then, folder):
        if then == "exit":
            sys.exit(0)
        if then == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if then == "wait":
            Path(folder, f"pid-{os.getpid()}").touch()
            while True:
                time.sleep(0.01)
