"""How Nautobot 2.x is told of jobs."""

from jobs.shims.registered import register_jobs

__all__ = ["register_jobs"]
