import time

from jobs import IntegerVar, Job


class Began(Job):
    """Tell when this code began, by the clock that all processes of a machine share."""

    def run(self):
        return time.monotonic()


class Ticks(Job):
    """Log what the time is, again and again."""

    count = IntegerVar(default=10)
    pause_ms = IntegerVar(default=100)

    def run(self, count, pause_ms):
        for _ in range(count):
            time.sleep(pause_ms / 1000)
            self.log_info(f"tick {time.time():.6f}")


class Waits(Job):
    """Wait for whoever ends this."""

    def run(self):
        self.log_info("begun")
        time.sleep(250)
