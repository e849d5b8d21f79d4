import os
import secrets
import time

from examples.inventory.models import Manufacturer
from jobs import IntegerVar, Job, StringVar

LEVELS = ("info", "success", "warning")


class Counts(Job):
    """Note S and, at the end, E outside of all that Errand keeps; in between log, wait, and make an object."""

    file = StringVar()
    lines = IntegerVar()
    milliseconds = IntegerVar()

    def run(self, file, lines, milliseconds):
        # Names this execution of this run: its object and its lines bear it too.
        token = secrets.token_hex(8)
        note(file, "S", self.job_result.id, token)
        for number in range(lines):
            getattr(self, f"log_{LEVELS[number % len(LEVELS)]}")(f"{token} {number}")
            time.sleep(milliseconds / lines / 1000)
            if number == lines // 2:
                Manufacturer(name=token, slug=token).save()
        note(file, "E", self.job_result.id, token)


class CountsAgain(Counts):
    """The same, and it may be run again when its worker died."""

    class Meta:
        idempotent = True


def note(file, what, result_id, token):
    """One write: whatever dies, the line is there whole or not at all."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what} {result_id} {token} {os.getpid()}\n".encode())
    os.close(descriptor)
