"""What a client asks first: what there is, and who answers."""

import platform
from typing import Any

from flask import Response, url_for

from store.models import WorkerProcess
from store.permissions import allowed
from webapp.api.tokens import user
from webapp.database import db
from webapp.extras.versions import as_json, version
from worker.presence import version as own_version
from worker.queue_facts import listening_workers, present_workers

_LISTS = {
    "jobs": "jobs",
    "job-results": "job_results",
    "job-logs": "job_logs",
    "scheduled-jobs": "scheduled_jobs",
}


def api() -> Response:
    """Say where what is."""
    return as_json({"extras": _url("extras"), "status": _url("status")})


def extras() -> Response:
    """Say which lists there are."""
    return as_json({name: _url(endpoint) for name, endpoint in _LISTS.items()})


def status() -> Response:
    """Say who answers."""
    workers = present_workers(db.session()) if allowed(user(), "view", WorkerProcess) else []
    told: dict[str, Any] = {
        # The version that is spoken: a client looks here whether it will be understood.
        "nautobot-version": f"{version()}.0",
        "errand-version": own_version(),
        "python-version": platform.python_version(),
        "celery-workers-running": sum(1 for row in workers if listening_workers([row])),
        "installed-apps": {},
        "plugins": {},
    }
    return as_json(told)


def _url(endpoint: str) -> str:
    return url_for(f"extras.{endpoint}", _external=True)
