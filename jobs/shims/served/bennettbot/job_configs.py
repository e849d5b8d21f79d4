"""What makes the configuration of a `raw_config`, and what reads commands."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.bennettbot import config, literal
from jobs.bennettbot.places import workspace_of
from jobs.slack_commands import build_regex_from_command, get_template_params

__all__ = ["build_config", "build_regex_from_command", "get_template_params"]


def build_config(raw_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration, complete; `raw_config` stays as it is.

    Raises RuntimeError on the first fault; but for the one of a job file, whose faults are told by their lines once it has run.
    """
    caller = sys._getframe(1).f_globals
    path = str(caller.get("__file__") or literal.FILE)

    def workspace(namespace: str) -> Path:
        return workspace_of(namespace, path, os.environ)

    if caller.get(literal.NAME) is raw_config and str(caller.get("__name__")).startswith("errand_jobs."):
        return config.read_config(raw_config, workspace).built
    return config.build_config(raw_config, workspace)
