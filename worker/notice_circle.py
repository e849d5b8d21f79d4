"""Who is told of what happened: those it concerns and those who asked, if they may see it, and channels."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, false, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from store.decisions import matches
from store.lockbox import lock
from store.models import Channel, Delivery, JobResult, NoticeRule, Schedule, User, now
from store.notices import ASKED, DECIDED, MISSED, WAYS, wanted_by
from store.permissions import facts_of
from store.rights import Rights
from store.settings import Settings
from worker import notice_facts
from worker.approvals import has_asked
from worker.notice_events import Event, by_hand

logger = logging.getLogger("errand.notices")

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

    def people_of_end(self, result: JobResult, word: str = "") -> People:
        """Return who is told of a run, by default of how it ended."""
        word = word or notice_facts.word_of(result)
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
        not paths
        or f"dialect:{event.dialect}" in paths
        or any(matches(event.class_path, wanted) for wanted in paths)
    )


def requester(asked: JobResult | Schedule) -> People:
    return _joined(asked.user, DECIDED, ())


def approvers(db: Session, rights: Rights, asked: JobResult | Schedule) -> People:
    """Return who may decide on it, and wants to know."""
    if asked.job is None:
        return {}
    facts = facts_of(asked.job, data=asked.data or {}, queue=asked.queue)
    ids = [person.id for person, _ in rights.who_may("approve", facts) if not has_asked(db, person.id, asked)]
    users: Iterator[User] = (
        user
        for start in range(0, len(ids), 500)
        for user in db.scalars(select(User).where(User.id.in_(ids[start : start + 500])))
    )
    return {user: ways for user in users if (ways := wanted_by(user, ASKED))}


def try_out(channel: Channel, username: str) -> Delivery:
    """Make a message that says nothing but that it arrived; the caller stores it."""
    event = by_hand("test", "A message from Errand", [f"{username} sent it, to see whether it arrives."])
    made = _delivery(event, f"channel:{channel.id}", channel.kind, channel.name, channel_id=channel.id)
    made.content = event.content()
    return made


def invite(settings: Settings, user: User, link: str, username: str) -> Delivery:
    """Make a mail with a link that signs `user` in; the caller stores it."""
    texts = [
        f"{username} invites you to Errand. Your username is {user.username}.",
        "This link signs you in once, within a day.",
    ]
    event = by_hand("invitation", "Sign in to Errand", texts)
    made = _delivery(event, f"mail:{user.id}", "mail", user.mail, user_id=user.id)
    made.content = event.content()
    made.box = lock(settings.secret_key, {"link": link})
    return made
