"""Runs of jobs in the manner of Bots Scheduler need the engine room's fixtures."""

from tests.worker.conftest import children, portal

__all__ = ["children", "portal"]
