"""Which classes of a module are jobs, where it says so itself as files of Nautobot 2.x do."""

import sys
from typing import Any

from jobs.loading import REGISTERED


def register_jobs(*classes: Any) -> None:
    """List these classes, and no others, as the jobs of the calling module. Doing it again changes nothing."""
    listed = sys._getframe(1).f_globals.setdefault(REGISTERED, [])
    listed += [cls for cls in classes if cls not in listed]
