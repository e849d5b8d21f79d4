"""How Nautobot 2.x is told of jobs."""

from jobs.registration import register_jobs

__all__ = ["register_jobs"]
