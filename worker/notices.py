"""Finds what there is to tell, and writes down a message for everybody who is to be told.

Nothing on the way of a run knows of messages. A run that has ended, a request, a decision and a missed slot are rows
that say "nobody was told yet"; whoever does this duty looks for them, and in one transaction writes the messages and
takes that word back. Whatever dies before that, the row is found again; whoever comes second changes nothing.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, delete, false, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, load_only

from store.decisions import matches
from store.lockbox import lock
from store.models import (
    LEVELS,
    Approval,
    Channel,
    Delivery,
    JobRecord,
    JobResult,
    MissedSlots,
    NoticeRule,
    Schedule,
    Status,
    User,
    now,
)
from store.models.approval import UNTOLD as UNTOLD_APPROVAL
from store.models.result import UNTOLD
from store.models.schedule import UNTOLD_MISSED, UNTOLD_PROBLEM
from store.notices import ASKED, DECIDED, MISSED, WAYS, wanted_by
from store.permissions import allowed, facts_of
from store.platform import Platform
from store.rights import Rights
from store.settings import Settings
from worker import notice_facts
from worker.failpoints import reach

logger = logging.getLogger("errand.notices")

#: So many of a kind are dealt with in one transaction.
BATCH = 100

#: Of a run only what messages say: its inputs and outputs may be large.
_TOLD_OF_RESULT = load_only(
    JobResult.job_id,
    JobResult.class_path,
    JobResult.name,
    JobResult.user_id,
    JobResult.username,
    JobResult.status,
    JobResult.cause,
    JobResult.commit,
    JobResult.queue,
    JobResult.data,
    JobResult.origin,
    JobResult.origin_id,
    JobResult.origin_name,
    JobResult.created_at,
    JobResult.started_at,
    JobResult.finished_at,
    JobResult.last_seq,
    *(getattr(JobResult, f"count_{level}") for level in LEVELS),
)

#: Of a job what permissions speak of.
_ASKED_OF_JOB = load_only(
    JobRecord.source,
    JobRecord.grouping,
    JobRecord.class_path,
    JobRecord.queues,
    JobRecord.enabled,
    JobRecord.hidden,
    JobRecord.read_only,
)

_WITH = (joinedload(JobResult.user), joinedload(JobResult.job).options(_ASKED_OF_JOB))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    #: "ended", "asked", "decided", "missed" or "problem".
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


@dataclass
class Found:
    """One event that nobody was told of, with the messages that tell of it."""

    #: The statement that takes it, if nobody else has.
    take: Any
    deliveries: list[Delivery] = field(default_factory=list)


def note_all(platform: Platform, settings: Settings) -> int:
    """Look once for what is to be told; return how many messages that makes."""
    return sum(note(platform, settings) for note in (note_ended, note_approvals, note_missed, note_problems))


def note_ended(platform: Platform, settings: Settings) -> int:
    """Tell of runs that have ended."""
    quiet: list[UUID] = []
    found: list[Found] = []
    with platform.reading() as db:
        ids = select(JobResult.id).where(UNTOLD).order_by(JobResult.finished_at).limit(BATCH)
        query = select(JobResult).where(JobResult.id.in_(ids)).order_by(JobResult.finished_at)
        results = db.scalars(query.options(_TOLD_OF_RESULT, *_WITH)).all()
        if not results:
            return 0
        circle = Circle(db, settings, results)
        for result in results:
            deliveries = circle.deliveries(_end(db, result), circle.people_of_end(result))
            if deliveries:
                taken = update(JobResult).where(JobResult.id == result.id, UNTOLD).values(told=True)
                found.append(Found(taken, deliveries))
            else:
                quiet.append(result.id)
    reach("notices.found")
    with platform.session() as db:
        # Mostly nobody wants to know: one statement for all of those.
        if quiet:
            _run(db, update(JobResult).where(JobResult.id.in_(quiet), UNTOLD).values(told=True))
        made = _take(db, found)
        granted = [str(result.id) for result in results]
        _run(db, delete(NoticeRule).where(NoticeRule.about == "run", NoticeRule.subject.in_(granted)))
        reach("notices.written")
        db.commit()
    return made


def note_approvals(platform: Platform, settings: Settings) -> int:
    """Tell of requests for an approval those who may give it, and of decisions those who asked."""
    found = []
    with platform.reading() as db:
        approvals = db.scalars(_approvals()).all()
        if not approvals:
            return 0
        circle = Circle(db, settings, ())
        rights = Rights.read(db)
        for approval in approvals:
            told = 2 if approval.decision is not None else 1
            mine = (Approval.id == approval.id, Approval.told == approval.told, Approval.decision.is_(None))
            take = update(Approval).where(*(mine if told == 1 else mine[:2])).values(told=told)
            event = _decision(approval) if told == 2 else _request(approval)
            people = _requester(approval) if told == 2 else _approvers(db, rights, approval)
            # Taken back before anybody was told.
            waits = told == 2 or approval.result.status == Status.AWAITING_APPROVAL
            found.append(Found(take, circle.deliveries(event, people) if waits else []))
    return _stored(platform, found)


def note_missed(platform: Platform, settings: Settings) -> int:
    """Tell of slots that should have made runs and did not."""
    found = []
    with platform.reading() as db:
        query = (
            select(MissedSlots, Schedule)
            .join(Schedule, Schedule.id == MissedSlots.schedule_id)
            .where(MissedSlots.id.in_(select(MissedSlots.id).where(UNTOLD_MISSED).limit(BATCH)))
            .order_by(MissedSlots.id)
            .options(*_of_schedule())
        )
        rows = db.execute(query).all()
        if not rows:
            return 0
        circle = Circle(db, settings, (), [schedule for _, schedule in rows])
        for missed, schedule in rows:
            take = update(MissedSlots).where(MissedSlots.id == missed.id, UNTOLD_MISSED).values(told=True)
            event = _trouble(
                "missed",
                f"missed:{missed.id}",
                schedule,
                "Missed",
                partial(notice_facts.of_missed, schedule, missed),
            )
            found.append(Found(take, circle.deliveries(event, circle.people_of_schedule(schedule))))
    return _stored(platform, found)


def note_problems(platform: Platform, settings: Settings) -> int:
    """Tell of schedules that cannot make runs."""
    found = []
    with platform.reading() as db:
        ids = select(Schedule.id).where(UNTOLD_PROBLEM).limit(BATCH)
        query = select(Schedule).where(Schedule.id.in_(ids))
        schedules = db.scalars(query.options(*_of_schedule())).all()
        if not schedules:
            return 0
        circle = Circle(db, settings, (), schedules)
        for schedule in schedules:
            same = (Schedule.problem == schedule.problem, Schedule.told_problem == schedule.told_problem)
            take = (
                update(Schedule)
                .where(Schedule.id == schedule.id, *same)
                .values(told_problem=schedule.problem)
            )
            # The same problem may come again, and is told again.
            event = _trouble(
                "problem",
                f"problem:{uuid4()}",
                schedule,
                "Cannot run",
                partial(notice_facts.of_problem, schedule),
            )
            people = circle.people_of_schedule(schedule) if schedule.problem else {}
            deliveries = circle.deliveries(event, people) if schedule.problem else []
            found.append(Found(take, deliveries))
    return _stored(platform, found)


# --- Who is told --------------------------------------------------------------------------------------------------

#: {person: the ways to tell them}
People = Mapping[User, Collection[str]]


class Circle:
    """The wishes that events of these runs or schedules can meet, read at once."""

    def __init__(
        self,
        db: Session,
        settings: Settings,
        results: Sequence[JobResult],
        schedules: Sequence[Schedule] = (),
    ) -> None:
        self._mail = settings.notices.mail is not None
        self._rules: dict[tuple[str, str], list[NoticeRule]] = {}
        for rule in db.scalars(_rules_about(results, schedules)):
            self._rules.setdefault((rule.about, rule.subject), []).append(rule)
        self._channels = db.scalars(
            select(Channel).where(Channel.enabled).order_by(Channel.id).options(joinedload(Channel.user))
        ).all()

    def people_of_end(self, result: JobResult) -> People:
        word = notice_facts.word_of(result)
        rules = [
            *self._rules.get(("run", str(result.id)), ()),
            *self._rules.get(("job", result.class_path), ()),
            *self._rules.get(("schedule", str(result.origin_id)), ()),
        ]
        return _joined(result.user, word, rules)

    def people_of_schedule(self, schedule: Schedule) -> People:
        return _joined(schedule.user, MISSED, self._rules.get(("schedule", str(schedule.id)), ()))

    def deliveries(self, event: Event, people: People) -> list[Delivery]:
        """Make a message for everybody who may see what it is about."""
        try:
            made = [*self._to_people(event, people), *self._to_channels(event)]
            content = event.content() if made else {}
        except SQLAlchemyError:
            raise
        except Exception:
            # Or what cannot be told would be found again for ever, and nothing after it.
            logger.exception("Nobody is told of %s.", event.key)
            return []
        for delivery in made:
            delivery.content = content
        return made

    def _to_people(self, event: Event, people: People) -> Iterator[Delivery]:
        for user, wanted in people.items():
            ways = [way for way in WAYS if way in wanted and self._can(user, way)]
            if ways and user.active and event.seen_by(user):
                for way in ways:
                    receiver = user.mail if way == "mail" else user.username
                    yield _delivery(event, f"{way}:{user.id}", way, receiver, user_id=user.id)

    def _to_channels(self, event: Event) -> Iterator[Delivery]:
        for channel in self._channels:
            if _concerns(channel, event) and channel.user is not None and event.seen_by(channel.user):
                yield _delivery(
                    event, f"channel:{channel.id}", channel.kind, channel.name, channel_id=channel.id
                )

    def _can(self, user: User, way: str) -> bool:
        return way != "mail" or (self._mail and bool(user.mail))


def _delivery(event: Event, target: str, via: str, receiver: str, **whose: int) -> Delivery:
    moment = now()
    return Delivery(
        event=event.kind,
        event_key=event.key,
        title=event.title,
        result_id=event.result_id,
        target=target,
        via=via,
        receiver=receiver,
        created_at=moment,
        next_try_at=moment,
        **whose,
    )


def _rules_about(results: Iterable[JobResult], schedules: Iterable[Schedule]) -> Select[Any]:
    runs = {str(result.id) for result in results}
    paths = {result.class_path for result in results}
    made_by = {str(result.origin_id) for result in results if result.origin == "schedule"}
    made_by |= {str(schedule.id) for schedule in schedules}
    wanted = [
        (NoticeRule.about == about) & NoticeRule.subject.in_(subjects)
        for about, subjects in (("run", runs), ("job", paths), ("schedule", made_by))
        if subjects
    ]
    return select(NoticeRule).where(or_(false(), *wanted)).options(joinedload(NoticeRule.user))


def _joined(owner: User | None, word: str, rules: Iterable[NoticeRule]) -> People:
    people: dict[User, set[str]] = {}
    if owner is not None:
        people[owner] = set(wanted_by(owner, word))
    for rule in rules:
        if word in rule.words:
            people.setdefault(rule.user, set()).update(rule.ways)
    return {user: ways for user, ways in people.items() if ways}


def _concerns(channel: Channel, event: Event) -> bool:
    paths = channel.class_paths
    return event.word in channel.words and (
        not paths or any(matches(event.class_path, wanted) for wanted in paths)
    )


def _requester(approval: Approval) -> People:
    return _joined(approval.result.user, DECIDED, ())


def _approvers(db: Session, rights: Rights, approval: Approval) -> People:
    """Return who may decide on it, and wants to know."""
    result, job = approval.result, approval.result.job
    if job is None:
        return {}
    facts = facts_of(job, data=result.data or {}, queue=result.queue)
    ids = [person.id for person, _ in rights.who_may("approve", facts) if person.id != result.user_id]
    users: Iterator[User] = (
        user
        for start in range(0, len(ids), 500)
        for user in db.scalars(select(User).where(User.id.in_(ids[start : start + 500])))
    )
    return {user: ways for user in users if (ways := wanted_by(user, ASKED))}


# --- What happened ------------------------------------------------------------------------------------------------


def _end(db: Session, result: JobResult) -> Event:
    return Event(
        "ended",
        f"ended:{result.id}",
        notice_facts.word_of(result),
        notice_facts.title_of_end(result),
        result.class_path,
        partial(notice_facts.of_result, db, result),
        lambda user: allowed(user, "view", result),
        result.id,
    )


def _request(approval: Approval) -> Event:
    result = approval.result
    return _of_approval(approval, ASKED, "To approve", partial(notice_facts.of_request, result))


def _decision(approval: Approval) -> Event:
    result = approval.result
    word = {"approved": "Approved", "denied": "Denied"}.get(str(approval.decision), "Expired")
    return _of_approval(approval, DECIDED, word, partial(notice_facts.of_decision, result, approval))


def _of_approval(approval: Approval, kind: str, word: str, content: Callable[[], dict[str, Any]]) -> Event:
    result = approval.result
    return Event(
        kind,
        f"{kind}:{approval.id}",
        kind,
        notice_facts.one_line(f"{word}: {result.name}"),
        result.class_path,
        content,
        lambda user: allowed(user, "view", result),
        result.id,
    )


def _trouble(
    kind: str, key: str, schedule: Schedule, word: str, content: Callable[[], dict[str, Any]]
) -> Event:
    def seen_by(user: User) -> bool:
        own = schedule.user_id is not None and user.id == schedule.user_id
        return own or (schedule.job is not None and allowed(user, "view", schedule.job))

    title = notice_facts.one_line(f"{word}: {schedule.name}")
    return Event(kind, key, MISSED, title, schedule.class_path, content, seen_by)


def _approvals() -> Select[Any]:
    result = joinedload(Approval.result)
    return (
        select(Approval)
        .where(Approval.id.in_(select(Approval.id).where(UNTOLD_APPROVAL).order_by(Approval.id).limit(BATCH)))
        .order_by(Approval.id)
        .options(result.options(_TOLD_OF_RESULT, *_WITH))
    )


def _of_schedule() -> tuple[Any, ...]:
    return (
        joinedload(Schedule.user),
        joinedload(Schedule.job).options(_ASKED_OF_JOB),
    )


def try_out(channel: Channel, username: str) -> Delivery:
    """Make a message that says nothing but that it arrived; the caller stores it."""
    event = _by_hand("test", "A message from Errand", [f"{username} sent it, to see whether it arrives."])
    made = _delivery(event, f"channel:{channel.id}", channel.kind, channel.name, channel_id=channel.id)
    made.content = event.content()
    return made


def invite(settings: Settings, user: User, link: str, username: str) -> Delivery:
    """Make a mail with a link that signs `user` in; the caller stores it."""
    texts = [
        f"{username} invites you to Errand. Your username is {user.username}.",
        "This link signs you in once, within a day.",
    ]
    event = _by_hand("invitation", "Sign in to Errand", texts)
    made = _delivery(event, f"mail:{user.id}", "mail", user.mail, user_id=user.id)
    made.content = event.content()
    made.box = lock(settings.secret_key, {"link": link})
    return made


def _by_hand(kind: str, title: str, texts: list[str]) -> Event:
    content = {"texts": texts, "act": "Sign in"}
    return Event(kind, f"{kind}:{uuid4()}", kind, title, "", lambda: content, lambda user: True)


# --- Writing it down ----------------------------------------------------------------------------------------------


def _stored(platform: Platform, found: Iterable[Found]) -> int:
    with platform.session() as db:
        made = _take(db, found)
        db.commit()
    return made


def _take(db: Session, found: Iterable[Found]) -> int:
    """Write the messages of what nobody else has taken; return how many."""
    made = 0
    for one in found:
        if _run(db, one.take):
            db.add_all(one.deliveries)
            made += len(one.deliveries)
    return made


def _run(db: Session, statement: Any) -> int:
    written = db.execute(statement, execution_options={"synchronize_session": False})
    count: int = written.rowcount  # type: ignore[attr-defined]
    return count
