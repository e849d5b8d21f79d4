from jobs import Job


class NoOp(Job):
    """Log three lines, and do nothing else."""

    def run(self):
        self.log_info("one")
        self.log_info("two")
        self.log_info("three")
