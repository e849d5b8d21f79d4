"""Jobs that say outside of everything we keep that they run: a line each in a file."""

import os
import subprocess
import time
from pathlib import Path

from examples.inventory.models import Manufacturer
from jobs import Job, StringVar


class Counts(Job):
    """Note S and, at the end, E in a file; in between make an object, and wait for another file."""

    file = StringVar()
    makes = StringVar(required=False)
    waits_for = StringVar(required=False)

    def run(self, file, makes, waits_for):
        self.log_info("began")
        if makes:
            Manufacturer(name=makes, slug=makes).save()
        note(file, "S")
        while waits_for and not Path(waits_for).exists():
            time.sleep(0.01)
        note(file, "E")
        self.log_success("ended")


class CountsAgain(Counts):
    """The same, and it may be run again when its worker died."""

    class Meta:
        idempotent = True


class LeavesAProcess(Job):
    """Start a process that outlives everything around it, and wait for ever."""

    folder = StringVar()

    def run(self, folder):
        # A session of its own, and nobody waits for it: only its environment tells whose it is.
        stray = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(folder, f"stray-{stray.pid}").touch()
        while True:
            time.sleep(0.01)


def note(file, what):
    """One write: whatever dies, the line is there whole or not at all."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what} {os.getpid()}\n".encode())
    os.close(descriptor)
