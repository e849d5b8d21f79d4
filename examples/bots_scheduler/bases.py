"""What the jobs beside this file have in common. A class that others subclass is no job."""

from botscheduler import *
from http_robot import RobotError


class CheckBase(JobBase):
    """A check: it says what it found, or that it found nothing."""

    info = {"job_class_name": "Check"}

    def found(self, rows, headers):
        if not rows:
            return Text("Nothing was found.")
        return Table(rows, column_headers=headers)

    @classmethod
    def get_failed_description(cls):
        return "The service did not tell."


__all__ = ["CheckBase", "RobotError"]
