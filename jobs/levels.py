"""The levels of log entries: one scale for every dialect."""

import logging

#: From least to most severe.
LEVELS = ("debug", "default", "info", "success", "warning", "failure", "error", "critical")

#: What pages filter by, and the levels each family holds.
FAMILIES: dict[str, tuple[str, ...]] = {
    "debug": ("debug", "default"),
    "info": ("info",),
    "success": ("success",),
    "warning": ("warning",),
    "failure": ("failure", "error", "critical"),
}

FAMILY_OF = {level: family for family, levels in FAMILIES.items() for level in levels}

#: Levels as Python's logging counts them; success sits between INFO and WARNING, failure between WARNING and ERROR.
LOGGING_LEVEL = {
    "debug": logging.DEBUG,
    "default": logging.INFO,
    "info": logging.INFO,
    "success": 25,
    "warning": logging.WARNING,
    "failure": 35,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def level_for(levelno: int) -> str:
    """Return our level for a level number of Python's logging."""
    for level in ("critical", "error", "failure", "warning", "success", "info"):
        if levelno >= LOGGING_LEVEL[level]:
            return level
    return "debug"
