from jobs import IntegerVar, Job


class Chatty(Job):
    """Log plain lines, as fast as they are taken."""

    lines = IntegerVar(default=1000)

    def run(self, lines):
        for number in range(lines):
            self.log_info(f"Step {number}: host{number % 977}.example has answered in {number % 61} ms")
