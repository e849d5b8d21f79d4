"""Who may do what, looked at as a whole: for whoever wants to know, or is about to change it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.decisions import KINDS, Asker, Decision, Facts, Grant, decide
from store.models import (
    Group,
    JobRecord,
    Permission,
    User,
    group_members,
    permission_groups,
    permission_users,
)
from store.permissions import facts_of

T = TypeVar("T")

#: So many examples are named of a change.
MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Given:
    """One permission with whom it is for: as it is, or as somebody is about to save it."""

    id: int
    name: str
    kind: str
    actions: frozenset[str]
    constraints: tuple[Mapping[str, Any], ...]
    user_ids: frozenset[int] = frozenset()
    group_ids: frozenset[int] = frozenset()
    enabled: bool = True

    def grant(self, group: str = "") -> Grant:
        return Grant(self.id, self.name, self.kind, self.actions, self.constraints, group)


@dataclass(frozen=True, slots=True)
class Circle:
    """A group, as far as rights need it."""

    name: str
    everyone: bool
    member_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    username: str
    superuser: bool


@dataclass
class Rights:
    """All active people with all that they may do, read at once."""

    people: Sequence[Person]
    circles: Mapping[int, Circle]
    given: Sequence[Given]
    _known: dict[frozenset[tuple[int, str]], tuple[Grant, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, db: Session) -> "Rights":
        members: dict[int, set[int]] = {}
        for group_id, user_id in db.execute(select(group_members.c.group_id, group_members.c.user_id)):
            members.setdefault(group_id, set()).add(user_id)
        circles = {
            group.id: Circle(group.name, group.everyone, frozenset(members.get(group.id, ())))
            for group in db.scalars(select(Group))
        }
        people = [
            Person(*row)
            for row in db.execute(
                select(User.id, User.username, User.superuser).where(User.active).order_by(User.username)
            )
        ]
        return cls(people, circles, _all_given(db))

    def with_given(self, given: Given) -> "Rights":
        """Return the rights as they would be with this permission, in place of the one with its id."""
        return Rights(self.people, self.circles, [*(one for one in self.given if one.id != given.id), given])

    def asker(self, person: Person) -> Asker:
        held = frozenset(self._held(person))
        # Many people may do exactly the same: that is worked out once.
        if held not in self._known:
            by_id = {one.id: one for one in self.given}
            self._known[held] = tuple(by_id[number].grant(group) for number, group in sorted(held))
        return Asker(person.username, True, person.superuser, self._known[held])

    def _held(self, person: Person) -> Iterable[tuple[int, str]]:
        yield from self._of_user.get(person.id, ())
        yield from self._of_everyone
        for circle_id in self._circles_of.get(person.id, ()):
            yield from self._of_circle.get(circle_id, ())

    # Worked out once: there may be a thousand people, and hundreds of permissions.

    @cached_property
    def _of_user(self) -> Mapping[int, list[tuple[int, str]]]:
        return _gathered((id, (one.id, "")) for one in self._enabled for id in one.user_ids)

    @cached_property
    def _of_circle(self) -> Mapping[int, list[tuple[int, str]]]:
        return _gathered(
            (id, (one.id, self.circles[id].name))
            for one in self._enabled
            for id in one.group_ids
            if id in self.circles
        )

    @cached_property
    def _of_everyone(self) -> list[tuple[int, str]]:
        return [
            held
            for id, circle in self.circles.items()
            if circle.everyone
            for held in self._of_circle.get(id, ())
        ]

    @cached_property
    def _circles_of(self) -> Mapping[int, list[int]]:
        return _gathered((member, id) for id, circle in self.circles.items() for member in circle.member_ids)

    @cached_property
    def _enabled(self) -> list[Given]:
        return [one for one in self.given if one.enabled]

    def who_may(self, action: str, facts: Facts) -> list[tuple[Person, Decision]]:
        """Return everybody who may do `action`, with what allows it to them."""
        # What fits nobody is not held against each of a thousand.
        fitting = Rights(
            self.people, self.circles, [one for one in self.given if _may_fit(one, action, facts)]
        )
        decided = ((person, decide(fitting.asker(person), action, facts)) for person in self.people)
        return [(person, decision) for person, decision in decided if decision.allowed]

    def would_allow(self, asker: Asker, action: str, facts: Facts) -> list[tuple[Given, list[str]]]:
        """Return the permissions by which `asker` could do `action` if they had them, with the groups that have them."""
        alone = replace(asker, superuser=False)
        fitting = [
            one
            for one in self.given
            if one.enabled and decide(replace(alone, grants=(one.grant(),)), action, facts).allowed
        ]
        return [
            (one, sorted(self.circles[number].name for number in one.group_ids if number in self.circles))
            for one in fitting
        ]

    def who_may_grant(self) -> list[str]:
        """Return the usernames of those who may change what people may do."""
        return [person.username for person, _ in self.who_may("change", Facts("user"))]


@dataclass(frozen=True, slots=True)
class Change:
    """What one action gains or loses by a change of permissions."""

    action: str
    #: In words: "run".
    words: str
    gained: int
    lost: int
    #: "alice: Restart service"
    examples: tuple[str, ...]


def preview(db: Session, given: Given) -> list[Change]:
    """Return what would change for whom, and on which jobs, if this permission was saved so; [] for nothing.

    Of kinds other than jobs, which cannot be gone through, it is told who gets or loses what the permission says.
    """
    before = Rights.read(db)
    after = before.with_given(given)
    kind = KINDS[given.kind]
    subjects = _subjects(db, given.kind)
    changes = []
    for action, words in kind.actions.items():
        gained, lost = _differences(before, after, action, subjects)
        if gained or lost:
            examples = [*(f"+ {one}" for one in gained), *(f"- {one}" for one in lost)][:MOST_EXAMPLES]
            changes.append(Change(action, words, len(gained), len(lost), tuple(examples)))
    return changes


def _gathered(pairs: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _may_fit(one: Given, action: str, facts: Facts) -> bool:
    """Tell whether a permission may allow it to anybody: one that speaks of its holder as "me" has to be asked for each."""
    grant = one.grant()
    if any("owner" in constraint for constraint in grant.constraints):
        return True
    return decide(Asker("anybody", grants=(grant,)), action, facts).allowed


def _subjects(db: Session, kind: str) -> list[tuple[str, Facts]]:
    if kind != "job":
        return []
    jobs = db.scalars(select(JobRecord).where(JobRecord.installed).order_by(JobRecord.name))
    return [(job.name, facts_of(job)) for job in jobs]


def _differences(
    before: Rights, after: Rights, action: str, subjects: Sequence[tuple[str, Facts]]
) -> tuple[list[str], list[str]]:
    gained: list[str] = []
    lost: list[str] = []
    known: dict[tuple[Any, ...], tuple[list[str], list[str]]] = {}
    for person in before.people:
        if person.superuser:
            continue
        old, new = before.asker(person), after.asker(person)
        # Of jobs no constraint speaks of who asks: who has the same has the same differences.
        key = (tuple(map(_key, old.grants)), tuple(map(_key, new.grants)))
        if key not in known:
            known[key] = _of_pair(old, new, action, subjects)
        more, less = known[key]
        gained += [f"{person.username}: {name}" if name else person.username for name in more]
        lost += [f"{person.username}: {name}" if name else person.username for name in less]
    return gained, lost


def _key(grant: Grant) -> tuple[Any, ...]:
    return grant.id, grant.group, grant.actions, str(grant.constraints)


def _of_pair(
    old: Asker, new: Asker, action: str, subjects: Sequence[tuple[str, Facts]]
) -> tuple[list[str], list[str]]:
    if not subjects:
        before, after = (_says(asker, action) for asker in (old, new))
        return ([""] if after - before else []), ([""] if before - after else [])
    more, less = [], []
    for name, facts in subjects:
        had, has = decide(old, action, facts).allowed, decide(new, action, facts).allowed
        if has and not had:
            more.append(name)
        elif had and not has:
            less.append(name)
    return more, less


def _says(asker: Asker, action: str) -> set[str]:
    return {grant.text for grant in asker.grants if action in grant.actions}


def _all_given(db: Session) -> list[Given]:
    users: dict[int, set[int]] = {}
    groups: dict[int, set[int]] = {}
    for permission_id, user_id in db.execute(select(permission_users)):
        users.setdefault(permission_id, set()).add(user_id)
    for permission_id, group_id in db.execute(select(permission_groups)):
        groups.setdefault(permission_id, set()).add(group_id)
    return [
        Given(
            row.id,
            row.name,
            row.kind,
            frozenset(row.actions),
            tuple(row.constraints),
            frozenset(users.get(row.id, ())),
            frozenset(groups.get(row.id, ())),
            row.enabled,
        )
        for row in db.scalars(select(Permission).order_by(Permission.name))
    ]
