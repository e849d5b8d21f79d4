"""A job whose library writes to the stderr that was there when it was imported, as loguru does."""

import sys

from loguru import logger

from jobs import Job, StringVar

sink = sys.stderr


class WritesToItsSink(Job):
    said = StringVar()

    def run(self, said):
        with self.step("Sinking"):
            print(said, file=sink)


class SpeaksByLoguru(Job):
    said = StringVar()

    def run(self, said):
        logger.success(said)
        logger.bind(extra="lab").critical("No {}", "answer")
        try:
            raise OSError(said)
        except OSError:
            logger.exception("It broke")
