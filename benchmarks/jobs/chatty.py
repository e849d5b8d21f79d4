import time

from jobs import IntegerVar, Job


class Chatty(Job):
    """Log plain lines, as fast as they are taken."""

    lines = IntegerVar(default=1000)

    def run(self, lines):
        log_lines(self, lines)


class Stretches(Job):
    """Log plain lines in stretches, each at its turn: two runs with different turns do not meet."""

    lines = IntegerVar(default=1000)
    count = IntegerVar(default=1)
    every_ms = IntegerVar(default=1000)
    turn_ms = IntegerVar(default=0)

    def run(self, lines, count, every_ms, turn_ms):
        for _ in range(count):
            now_ms = time.time() * 1000
            time.sleep((turn_ms - now_ms) % every_ms / 1000)
            log_lines(self, lines)


def log_lines(job, lines):
    for number in range(lines):
        job.log_info(f"Step {number}: host{number % 977}.example has answered in {number % 61} ms")
