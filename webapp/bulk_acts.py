"""What can be done with many results, or jobs, at once: each by the same door as with one of them."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import Select, select
from sqlalchemy.orm import defer, joinedload
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, Status, User
from store.permissions import Forbidden, NotVisible, allowed, require, visible
from webapp.api.errors import in_words
from webapp.database import db
from webapp.looks import LOOKS, Look
from webapp.request_facts import request_facts
from webapp.result_list import newest_that_fit, read_wanted
from worker.again import run_again, why_not_again
from worker.cancel import AlreadyFinished, cancel
from worker.removal import NotEnded, remove
from worker.submit import reusable

#: Rows that are read at a time.
PIECE = 500

#: What a look at a result does not need.
_UNREAD = (JobResult.return_value, JobResult.output, JobResult.results, JobResult.sealed_data)


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    word: str
    icon: str
    #: What was done, as in "12 results canceled".
    done: str
    #: What somebody must be allowed to do it at all: (action, model).
    asked: tuple[str, Any]
    #: Do it to one for a person; the key makes the same request count once. Returns the id of what came of it.
    do: Callable[[Any, User, str | None], uuid.UUID]
    #: Say why it will not be done, as a sentence; "" where it will.
    why_not: Callable[[Any, User], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """What acts are done with."""

    #: What its list is called, and one of it.
    name: str
    one: str
    model: Any
    #: Return the query for those that somebody may see.
    seen: Callable[[User], Select[Any]]
    #: Return the query for all that fit what a request asks of the list, and whether it leaves out any to be quick.
    matching: Callable[[MultiDict[str, str]], tuple[Select[Any], bool]]
    #: The order of the list, and what those are called that come first in it.
    order: tuple[Any, ...]
    first: str
    state: Callable[[Any], Look]
    acts: Mapping[str, Act]

    def acts_of(self, user: User) -> list[Act]:
        """Return the acts that somebody may do to some of these at least."""
        return [act for act in self.acts.values() if allowed(user, *act.asked)]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an act would do."""

    #: What it would be done to.
    ids: list[uuid.UUID]
    #: How many of these are in which state.
    states: list[tuple[Look, int]]
    #: Why the others are left alone, and how many.
    skipped: list[tuple[str, int]]


def outlook(kind: Kind, act: Act, ids: Sequence[uuid.UUID], user: User) -> Outlook:
    """Look at each of them; what the user may not see is not there."""
    doable: list[uuid.UUID] = []
    states: Counter[Look] = Counter()
    skipped: Counter[str] = Counter()
    for row in _rows(kind, ids, user):
        if why := act.why_not(row, user):
            skipped[why] += 1
        else:
            doable.append(row.id)
            states[kind.state(row)] += 1
    return Outlook(doable, states.most_common(), skipped.most_common())


def attempt(kind: Kind, act: Act, row: Any, user: User, key: str | None = None) -> tuple[str, str]:
    """Do it to one; None: it is gone. Returns the id of what came of it and "", or "" and why it was refused."""
    none = f"There is no such {kind.one}."
    if row is None:
        return "", none
    try:
        require(user, "view", row)
        return str(act.do(row, user, key)), ""
    except (Forbidden, NotVisible, AlreadyFinished, NotEnded, InvalidData) as error:
        db.session.rollback()
        return "", in_words(error) or none


def _rows(kind: Kind, ids: Sequence[uuid.UUID], user: User) -> Iterator[Any]:
    query = kind.seen(user)
    for start in range(0, len(ids), PIECE):
        yield from db.session.scalars(query.where(kind.model.id.in_(ids[start : start + PIECE])))


# --- Results ---


def seen(user: User) -> Select[JobResult]:
    """Return the query for results that acts are done to."""
    return visible(select(JobResult), user, JobResult).options(joinedload(JobResult.job))


def _cancel(row: JobResult, user: User, _key: str | None) -> uuid.UUID:
    cancel(db.session(), current_app.extensions["errand"].settings, row, user)
    return row.id


def _rerun(row: JobResult, user: User, key: str | None) -> uuid.UUID:
    settings = current_app.extensions["errand"].settings
    made = run_again(db.session(), settings, row, user, request=request_facts(), idempotency_key=key)
    return made.id


def _delete(row: JobResult, user: User, _key: str | None) -> uuid.UUID:
    result_id = row.id
    remove(db.session(), current_app.extensions["errand"].settings, row, user)
    return result_id


def _why_not_cancel(row: JobResult, user: User) -> str:
    if row.finished:
        return "Ended already."
    if row.cancel_requested_at:
        return "Asked to stop already."
    return "" if allowed(user, "change", row) else "You may not cancel it."


def _why_not_rerun(row: JobResult, user: User) -> str:
    job = row.job
    if job is None or not allowed(user, "view", job):
        return "Its job is not there any more, or you may not see it."
    if not allowed(user, "run", job):
        return "You may not run its job."
    if not job.runnable:
        return "Its job cannot be run now."
    return why_not_again(row, job, reusable(row, user))


def _why_not_delete(row: JobResult, user: User) -> str:
    if not row.finished:
        return "Not ended yet: cancel it first."
    return "" if allowed(user, "delete", row) else "You may not delete it."


ACTS = {
    act.name: act
    for act in (
        Act("rerun", "Run again", "redo", "run again", ("run", JobRecord), _rerun, _why_not_rerun),
        Act("cancel", "Cancel", "stop", "canceled", ("change", JobResult), _cancel, _why_not_cancel),
        Act("delete", "Delete", "x", "deleted", ("delete", JobResult), _delete, _why_not_delete),
    )
}

RESULTS = Kind(
    "results",
    "result",
    JobResult,
    seen=lambda user: seen(user).options(*(defer(column) for column in _UNREAD)),
    matching=lambda arguments: newest_that_fit(read_wanted(arguments)),
    order=(JobResult.created_at.desc(), JobResult.id.desc()),
    first="newest",
    state=lambda row: LOOKS[Status(row.status)],
    acts=ACTS,
)
