"""What the tests of commands share."""

from tests.worker.conftest import children, portal

__all__ = ["children", "portal"]
