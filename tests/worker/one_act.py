"""One act of the portal in a process of its own, which a fail point may end: `python -m tests.worker.one_act ...`.

submit JOB DATA KEY     as the web process does it for a request with this Idempotency-Key
reconcile               one pass
"""

import json
import sys
from datetime import timedelta

from store.models import JobRecord, User
from store.platform import Platform
from store.settings import load_settings
from worker import reconciler
from worker.submit import submit


def main(act: str, *arguments: str) -> None:
    settings = load_settings()
    platform = Platform(settings.database_url)
    if act == "reconcile":
        reconciler.PUSH_GRACE = timedelta(0)
        reconciler.Reconciler(settings, platform).run_once()
        return
    job, data, key = arguments
    with platform.session() as db:
        record = db.query(JobRecord).filter_by(class_name=job).one()
        alice = db.query(User).filter_by(username="alice").one()
        result = submit(db, settings, job=record, raw=json.loads(data), user=alice, idempotency_key=key)
        print(result.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
