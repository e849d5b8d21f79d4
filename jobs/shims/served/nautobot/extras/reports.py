"""Reports, which were there before jobs."""

from jobs.shims.bases import Report

__all__ = ["Report"]
