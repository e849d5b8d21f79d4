"""The base class of jobs, where ndscheduler has it by now."""

from jobs.bots.base import JobBase

__all__ = ["JobBase"]
