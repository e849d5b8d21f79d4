"""The web server's own lines as JSON."""

from typing import Any

from gunicorn.glogging import Logger

from store.settings import load_settings
from worker import json_log


class JsonLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines in the same form."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        formatter = json_log.JsonFormatter(load_settings(), "web")
        for each in (self.error_log, self.access_log):
            for handler in each.handlers:
                handler.setFormatter(formatter)
