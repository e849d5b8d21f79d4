"""A job whose library writes to the stderr that was there when it was imported, as loguru does."""

import sys

from jobs import Job, StringVar

try:
    from loguru import logger
except ImportError:
    logger = None

sink = sys.stderr


class WritesToItsSink(Job):
    said = StringVar()

    def run(self, said):
        with self.step("Sinking"):
            print(said, file=sink)


class SpeaksByLoguru(Job):
    said = StringVar()

    def run(self, said):
        logger.info(said)
