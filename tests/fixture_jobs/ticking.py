"""A job that logs all the time."""

import time
from pathlib import Path

from jobs import IntegerVar, Job, StringVar, TextVar


class Ticks(Job):
    """Log a numbered line again and again until the file `end` is in the folder, and return how many there were."""

    folder = StringVar()
    padding = IntegerVar(default=0)
    note = TextVar(required=False)

    def run(self, folder, padding, note):
        number = 0
        while not Path(folder, "end").exists():
            number += 1
            self.log_info(f"tick {number}" + " " + "x" * padding)
            time.sleep(0.01)
        Path(folder, "ended").touch()
        return number
