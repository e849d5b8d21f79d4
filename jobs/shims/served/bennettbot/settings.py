"""What bennettbot is set up with, as far as jobs may know it: read from the environment when it is asked for."""

import os
from pathlib import Path
from typing import Any

from jobs.bennettbot import places

APPLICATION_ROOT = Path.cwd()

_TEXTS = frozenset(
    {"SLACK_LOGS_CHANNEL", "SLACK_TECH_SUPPORT_CHANNEL", "SLACK_BENNETT_ADMINS_CHANNEL"}
    | {"SLACK_BOT_TOKEN", "SLACK_BOT_USER_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}
    | {"SLACK_APP_USERNAME", "WEBHOOK_ORIGIN", "LOG_LEVEL"}
)


def __getattr__(name: str) -> Any:
    environ = os.environ
    match name:
        case "WRITEABLE_DIR":
            return places.writeable_dir(environ)
        case "WRITEABLE_WORKSPACE_DIR":
            return places.writeable_workspace(environ)
        case "WORKSPACE_DIR":
            return Path(environ.get(name) or APPLICATION_ROOT / places.WORKSPACE)
        case "LOGS_DIR":
            return Path(environ.get(name) or places.writeable_dir(environ) / "logs")
        case "HOST_LOGS_DIR":
            return Path(environ.get(name) or __getattr__("LOGS_DIR"))
        case "DB_PATH":
            return Path(environ.get(name) or places.writeable_dir(environ) / "bennettbot.db")
        case "BOT_CHECK_FILE":
            return Path(environ.get(name) or places.writeable_dir(environ) / ".bot_startup_check")
        case "MAX_SLACK_NOTIFY_RETRIES":
            return int(environ.get(name) or 2)
        case "GITHUB_WEBHOOK_SECRET":
            return environ.get(name, "").encode()
    if name in _TEXTS:
        return environ.get(name, "")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
