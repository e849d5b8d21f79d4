"""Jobs that go in steps."""

import time

from jobs import BooleanVar, IntegerVar, Job


class GoesInSteps(Job):
    """Logs early, and takes its time."""

    stumbles = BooleanVar()

    def run(self, stumbles):
        self.log_info("before")
        with self.step("Checking devices"):
            time.sleep(0.15)
            self.log_info("one")
            with self.step("core-1"):
                print("two")
                time.sleep(0.15)
            self.log_info("three")
            time.sleep(0.15)
        with self.step("Silent"):
            pass
        try:
            with self.step("Stumbling"):
                self.log_info("four")
                if stumbles:
                    raise ValueError("stumbled")
        finally:
            self.log_info("after")


class GoesInManySteps(Job):
    count = IntegerVar(default=3000)

    def run(self, count):
        for number in range(count):
            with self.step(f"device {number % 2}"):
                self.log_info(f"{number}")


class FakesSteps(Job):
    def run(self):
        self.log_info("before")
        for began, ended in ((float("nan"), 1), ("1", 2), (-1, 1)):
            self._context._line.send("step", "main", began, ended)
