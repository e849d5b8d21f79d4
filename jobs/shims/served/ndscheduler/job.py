"""The base class of jobs, where ndscheduler had it until 0.3."""

from jobs.bots.base import JobBase

__all__ = ["JobBase"]
