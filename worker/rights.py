"""Whether somebody may run a job with these inputs: asked when they ask for the run, and again when it begins."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from jobs.errors import InvalidData
from store.decisions import DATA, KINDS, Grant
from store.models import JobRecord, JobResult, User
from store.permissions import allowed, decision
from store.platform import Platform


def require_inputs(user: User | None, job: JobRecord, data: Mapping[str, Any], queue: str) -> None:
    """Raise InvalidData where `user` may run `job`, but not so: with the input, or the queue, that is in the way.

    data: the inputs that may be read.
    """
    if allowed(user, "run", job, data=data, queue=queue):
        return
    unseen = decision(user, "run", job, queue=queue)
    if not unseen.allowed:
        raise InvalidData({"_queue": [f"You may not run {job.name} on the queue {queue}."]})
    fitting = [step.grant for step in unseen.steps if step.fits]
    known = {variable["name"] for variable in job.variables}
    in_the_way = [name for name in _inputs_of(fitting) if name in known] or ["_data"]
    raise InvalidData({name: [_sentence(job, fitting)] for name in in_the_way})


def may_still_run(platform: Platform, result_id: UUID) -> bool:
    """Tell whether who asked for a run may run its job still, as it was asked for."""
    with platform.reading() as db:
        result = db.get(JobResult, result_id)
        if result is None or result.job_id is None or result.user_id is None:
            return False
        user, job = db.get(User, result.user_id), db.get(JobRecord, result.job_id)
        if result.permitted:
            return user is not None and user.active
        return job is not None and allowed(user, "run", job, data=result.data or {}, queue=result.queue)


def _inputs_of(grants: list[Grant]) -> list[str]:
    keys = (key for grant in grants for constraint in grant.constraints for key in constraint)
    return list(dict.fromkeys(key.removeprefix(DATA) for key in keys if key.startswith(DATA)))


def _sentence(job: JobRecord, grants: list[Grant]) -> str:
    ways = dict.fromkeys(grant.text.removeprefix(f"{KINDS['job'].actions['view']} and ") for grant in grants)
    return f"You may not run {job.name} with this. You may {', or '.join(ways)}."
