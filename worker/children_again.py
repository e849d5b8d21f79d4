"""Runs those of a run's children again that did not complete; what became of the others counts as before."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from jobs.data import as_given
from jobs.errors import InvalidData
from jobs.fan_out import MOST_IN_PART
from store.lockbox import lock
from store.models import FanOut, Gathering, JobResult, User, now
from store.permissions import NotVisible, allowed, require
from store.settings import Settings
from worker.again import why_not_again
from worker.asked_runs import store_fan_out, waiting_values
from worker.gathering import INCOMPLETE
from worker.origins import Origin
from worker.submit import reusable, submit

NONE_LEFT = "All of the runs that it asked for have completed."
NO_CHILDREN = "This run has asked for no other runs."
NOT_ENDED = "It has not ended yet."


class _Again(NamedTuple):
    """A child that is run again."""

    number: int
    data: dict[str, Any]
    result: JobResult


def run_children_again(
    db: Session, settings: Settings, earlier: JobResult, user: User, *, request: dict[str, Any] | None = None
) -> JobResult:
    """Submit a run of the same job that asks for nothing but the children of an earlier one that did not complete.

    It is told of these, and of those that had completed. Commits `db`.
    Raises NotVisible, Forbidden, NotRunnable or InvalidData.
    """
    job = earlier.job
    gathering = db.get(Gathering, earlier.id)
    if job is None or not allowed(user, "view", job):
        raise NotVisible
    require(user, "run", job)
    if gathering is None:
        raise InvalidData([NO_CHILDREN])
    sealed = reusable(earlier, user)
    children = _incomplete(db, earlier)
    if problem := _why_not(earlier, children) or why_not_again(earlier, job, sealed):
        raise InvalidData([problem])

    def claim(db: Session, result: JobResult) -> Sequence[JobResult]:
        # What had been asked for stands: the first part is not run again.
        for name, value in waiting_values(len(children), attempt=0).items():
            setattr(result, name, value)
        result.output, result.return_value, result.results = (
            earlier.output,
            earlier.return_value,
            earlier.results,
        )
        db.add(result)
        db.flush()
        db.add(
            Gathering(
                result_id=result.id,
                method=gathering.method,
                size=len(children),
                total=gathering.total,
                first=gathering.first,
                again_of=earlier.id,
                created_at=now(),
            )
        )
        db.flush()
        _ask(db, settings, result, children)
        return ()

    return submit(
        db,
        settings,
        job=job,
        raw=as_given(job.variables, earlier.data),
        sealed=sealed,
        user=user,
        commit=earlier.commit if job.asks_commit else None,
        queue=earlier.queue if earlier.queue in job.allowed_queues else None,
        request=request,
        origin=Origin(claim=claim),
    )


def _why_not(earlier: JobResult, children: Sequence[_Again]) -> str:
    if not earlier.finished:
        return NOT_ENDED
    return "" if children else NONE_LEFT


def _incomplete(db: Session, earlier: JobResult) -> list[_Again]:
    query = (
        select(JobResult)
        .where(
            JobResult.parent_id == earlier.id,
            JobResult.map_number.is_not(None),
            JobResult.status.in_(INCOMPLETE),
        )
        .order_by(JobResult.map_number)
        .options(joinedload(JobResult.job))
    )
    return [_Again(child.map_number or 0, _data_of(child), child) for child in db.scalars(query)]


def _data_of(child: JobResult) -> dict[str, Any]:
    return child.data if child.job is None else as_given(child.job.variables, child.data)


def _ask(db: Session, settings: Settings, result: JobResult, children: Sequence[_Again]) -> None:
    calls: dict[Any, list[_Again]] = {}
    for child in children:
        calls.setdefault(child.result.origin_id, []).append(child)
    for origin_id, of_call in calls.items():
        fan_out = db.get_one(FanOut, origin_id)
        how = {"queue": fan_out.queue, "at_once": fan_out.at_once, "stop_after": fan_out.stop_after}
        following = iter(of_call)
        parts = []
        while part := list(islice(following, MOST_IN_PART)):
            content = {
                "data": [child.data for child in part],
                "numbers": [child.number for child in part],
                "earlier": {str(child.number): str(child.result.id) for child in part},
            }
            parts.append((part[0].number, lock(settings.secret_key, content)))
        # Nobody is at it: whoever looks next makes them.
        store_fan_out(db, uuid4(), result.id, fan_out.class_path, how, parts, free_at=now())
