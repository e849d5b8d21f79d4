"""What happened, as messages tell of it: a run ended, a request, a decision, trouble with a schedule, a word by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from store.models import Approval, JobResult, MissedSlots, Schedule, User
from store.notices import ASKED, DECIDED, MISSED, OUTPUT
from store.permissions import allowed
from worker import notice_facts


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    #: "ended", "output", "asked", "decided", "missed" or "problem".
    kind: str
    #: Which one of them: nobody is told of the same twice.
    key: str
    #: As wishes call it (see store.notices).
    word: str
    title: str
    class_path: str
    #: Makes what there is to say, when there is somebody to say it to.
    content: Callable[[], dict[str, Any]]
    #: Whether somebody may see what it is about.
    seen_by: Callable[[User], bool]
    result_id: UUID | None = None
    #: That of its job.
    dialect: str = ""


def end(db: Session, result: JobResult) -> Event:
    return Event(
        "ended",
        f"ended:{result.id}",
        notice_facts.word_of(result),
        notice_facts.title_of_end(result),
        result.class_path,
        partial(notice_facts.of_result, db, result),
        lambda user: allowed(user, "view", result),
        result.id,
        _dialect(result),
    )


def output(db: Session, result: JobResult) -> Event:
    """It has something to report. The report itself is read when the message is sent."""
    title = notice_facts.one_line(f"Report: {result.name}")
    return replace(end(db, result), kind=OUTPUT, key=f"{OUTPUT}:{result.id}", word=OUTPUT, title=title)


def request(approval: Approval, asked: JobResult | Schedule) -> Event:
    return _of_approval(approval, asked, ASKED, "To approve", partial(notice_facts.of_request, asked))


def decision(approval: Approval, asked: JobResult | Schedule) -> Event:
    word = {"approved": "Approved", "denied": "Denied"}.get(str(approval.decision), "Expired")
    said = partial(notice_facts.of_decision, asked, approval)
    return _of_approval(approval, asked, DECIDED, word, said)


def _of_approval(
    approval: Approval,
    asked: JobResult | Schedule,
    kind: str,
    word: str,
    content: Callable[[], dict[str, Any]],
) -> Event:
    return Event(
        kind,
        f"{kind}:{approval.id}",
        kind,
        notice_facts.one_line(f"{word}: {asked.name}"),
        asked.class_path,
        content,
        lambda user: allowed(user, "view", asked),
        asked.id if isinstance(asked, JobResult) else None,
        _dialect(asked),
    )


def _trouble(
    kind: str, key: str, schedule: Schedule, word: str, content: Callable[[], dict[str, Any]]
) -> Event:
    def seen_by(user: User) -> bool:
        own = schedule.user_id is not None and user.id == schedule.user_id
        return own or allowed(user, "view", schedule)

    title = notice_facts.one_line(f"{word}: {schedule.name}")
    dialect = _dialect(schedule)
    return Event(kind, key, MISSED, title, schedule.class_path, content, seen_by, dialect=dialect)


def missed_slots(schedule: Schedule, missed: MissedSlots) -> Event:
    said = partial(notice_facts.of_missed, schedule, missed)
    return _trouble("missed", f"missed:{missed.id}", schedule, "Missed", said)


def problem(schedule: Schedule) -> Event:
    # The same problem may come again, and is told again.
    said = partial(notice_facts.of_problem, schedule)
    return _trouble("problem", f"problem:{uuid4()}", schedule, "Cannot run", said)


def by_hand(kind: str, title: str, texts: list[str]) -> Event:
    content = {"texts": texts, "act": "Sign in"}
    return Event(kind, f"{kind}:{uuid4()}", kind, title, "", lambda: content, lambda user: True)


def _dialect(about: JobResult | Schedule) -> str:
    return about.job.dialect if about.job is not None else ""
