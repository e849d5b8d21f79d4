"""Who may do what: the one door that every page, call and command asks, over the pure function of store.decisions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, exists, false, or_, select
from sqlalchemy.orm import Session, object_session

from store.decisions import OF_JOBS, Asker, Decision, Facts, Grant, Limits, decide, grants_of
from store.models import (
    Button,
    Chain,
    Channel,
    DataFile,
    Delivery,
    GitSource,
    Group,
    Hook,
    JobRecord,
    JobResult,
    JobSource,
    LoadError,
    Permission,
    Queue,
    Schedule,
    User,
    Webhook,
    WebhookDelivery,
    WorkerProcess,
    group_members,
    permission_groups,
    permission_users,
)
from store.visibility import KINDS_OF, approvable, condition

#: What all people may do from the first day on; a row like others, which an admin may change (see the migrations).
EVERYONE: Sequence[tuple[str, str, Sequence[str], Sequence[Mapping[str, Any]]]] = (
    ("Run enabled jobs", "job", ("view", "run"), ({"enabled": True, "restricted": False},)),
    ("See restricted jobs", "job", ("view",), ({"enabled": True, "restricted": True},)),
    ("See all results", "result", ("view",), ()),
    ("Cancel own runs", "result", ("change",), ({"owner": "me"},)),
    ("See all schedules", "schedule", ("view",), ()),
    ("Change own schedules", "schedule", ("change", "delete"), ({"owner": "me"},)),
    ("See all objects", "object", ("view",), ()),
    ("See workers and queues", "worker", ("view",), ()),
    ("See all data files", "datafile", ("view",), ()),
    ("Change own data files", "datafile", ("change", "delete"), ({"owner": "me"},)),
)

#: Kinds whose lists show what may be seen, be that nothing (see `visible`).
_LISTED = OF_JOBS


class Forbidden(Exception):
    """The user may see this, but not do that to it. The text is a sentence for them."""

    def __init__(
        self, sentence: str = "", decision: Decision | None = None, question: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.decision = decision
        #: What to ask for an explanation: {"action", "kind", "subject"}; None where there is nothing to explain.
        self.question = question


class NotVisible(Exception):
    """For this user it does not exist."""


def allowed(user: User | None, action: str, subject: Any = None, **asked: Any) -> bool:
    """Tell whether `user` may do `action` to `subject` (see `decision`)."""
    return decision(user, action, subject, **asked).allowed


def decision(
    user: User | None,
    action: str,
    subject: Any = None,
    *,
    data: Mapping[str, Any] | None = None,
    queue: str | None = None,
) -> Decision:
    """Decide whether `user` may do `action` to `subject`: a row, an object, or a class for "any of them".

    None as the subject asks whether they may come in at all. data, queue: what a run is asked for with.
    """
    asker = asker_of(user)
    if subject is None:
        if action != "view":
            raise ValueError(f"There is no action {action!r} on nothing in particular.")
        return _may_come_in(asker)
    if isinstance(subject, type) and subject in KINDS_OF:
        return _any(asker, action, KINDS_OF[subject])
    db = object_session(user) if user is not None else None
    if asker is not None and _is_withdrawn(subject, asker, db):
        return Decision(False, "Its author has switched the job off.")
    return decide(asker, action, facts_of(subject, data=data, queue=queue, db=db))


def may_of_kind(user: User, action: str, kind: str) -> bool:
    """Tell whether `user` may do `action` to things of a kind, or to some of them."""
    return _any(asker_of(user), action, kind).allowed


def require(user: User | None, action: str, subject: Any = None, **asked: Any) -> None:
    """Raise NotVisible or Forbidden unless `user` may do `action` to `subject` (see `decision`)."""
    decided = decision(user, action, subject, **asked)
    if decided.allowed:
        return
    if not allowed(user, "view", subject):
        raise NotVisible
    raise Forbidden(_refusal(action, subject, decided), decided, _question(action, subject))


def visible(
    query: Select[Any], user: User | None, model: type[Any], *, withdrawn: bool = False
) -> Select[Any]:
    """Narrow `query` to the rows of `model` that `user` may view (see `store.visibility.condition`)."""
    return query.where(may_view(user, model, withdrawn=withdrawn))


def may_view(user: User | None, model: type[Any], *, withdrawn: bool = False) -> ColumnElement[bool]:
    """Return what holds for the rows of `model` that `user` may view."""
    asker = asker_of(user)
    if asker is None or not asker.active:
        return false()
    return condition(asker, model, withdrawn=withdrawn)


def may_approve(user: User | None, run: type[JobResult] | type[Schedule]) -> ColumnElement[bool]:
    """Return what holds for the jobs of which `user` may approve what a row of `run` asks for."""
    asker = asker_of(user)
    if asker is None or not asker.active:
        return false()
    return approvable(asker, run)


# --- Who asks -------------------------------------------------------------------------------------------------


def asker_of(user: User | None) -> Asker | None:
    """Return a person with all that they may do, asked of the database once for each time they are loaded."""
    if user is None:
        return None
    known: Asker | None = user.__dict__.get("_asker")
    if known is None:
        limits = user.__dict__.get("_limits")
        who = (user.username, bool(user.active), bool(user.superuser))
        known = Asker(*who, _grants(user), limits, _some_withdrawn(user))
        user.__dict__["_asker"] = known
    return known


def give(user: User, asker: Asker) -> None:
    """Have a person who was just loaded be `asker`, who was read a moment ago."""
    user.__dict__["_asker"] = asker


def forget(user: User) -> None:
    """Have it asked anew what a person may do."""
    for known in ("_asker", "_limits"):
        user.__dict__.pop(known, None)


def look_up(db: Session, user: User) -> User | None:
    """Return somebody of no session as the database knows them now, with what they may do; None for nobody any more.

    Read beside `db`: on SQLite that would take the write turn.
    """
    with Session(db.get_bind().engine.execution_options(sqlite_begin="DEFERRED")) as reading:
        found = reading.get(User, user.id)
        if found is not None:
            asker_of(found)
            reading.expunge(found)
        return found


def limit(user: User, limits: Limits) -> None:
    """Have a person who was just loaded do no more than a token lets them."""
    user.__dict__["_limits"] = limits


def _some_withdrawn(user: User) -> bool:
    db = object_session(user)
    off = select(JobRecord.id).where(JobRecord.withdrawn).limit(1)
    return db is None or not user.active or bool(_ask(db, off))


def _grants(user: User) -> tuple[Grant, ...]:
    if user.superuser or not user.active:
        return ()
    db = object_session(user)
    if db is None:
        # Of somebody whom no database is asked about nothing is known: see `give`.
        return ()
    facts = (Permission.id, Permission.name, Permission.kind, Permission.actions, Permission.constraints)
    own = (
        select(*facts, cast("", String).label("via"))
        .join(permission_users, permission_users.c.permission_id == Permission.id)
        .where(Permission.enabled, permission_users.c.user_id == user.id)
    )
    is_member = exists().where(group_members.c.group_id == Group.id, group_members.c.user_id == user.id)
    by_group = (
        select(*facts, Group.name.label("via"))
        .join(permission_groups, permission_groups.c.permission_id == Permission.id)
        .join(Group, Group.id == permission_groups.c.group_id)
        .where(Permission.enabled, or_(Group.everyone, is_member))
    )
    rows = _ask(db, own.union_all(by_group))
    return tuple(Grant(row[0], row[1], row[2], frozenset(row[3]), tuple(row[4]), row[5]) for row in rows)


# --- What it is about -----------------------------------------------------------------------------------------


class _Known(Mapping[str, Any]):
    """Facts that are looked up when a constraint speaks of them: mostly none does."""

    def __init__(self, facts: Mapping[str, Callable[[], Any]]) -> None:
        self._facts = facts

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def facts_of(
    subject: Any,
    *,
    data: Mapping[str, Any] | None = None,
    queue: str | None = None,
    db: Session | None = None,
) -> Facts:
    """Return what constraints may speak of.

    db: where to look up what has not been loaded of a result.
    """
    match subject:
        case JobRecord():
            return Facts("job", _of_job(subject, queue), data)
        case JobResult():
            return Facts("result", _of_result(subject, db), _DataOf(subject, db))
        case Schedule():
            return Facts("schedule", _of_result(subject, db), subject.data or {})
        case JobSource() | GitSource():
            return Facts("source", {"source": subject.name})
        case LoadError():
            return Facts("source", {"source": subject.source})
        case WorkerProcess() | Queue():
            return Facts("worker")
        case Channel() | Delivery():
            return Facts("channel")
        case Hook():
            return Facts("hook")
        case Chain():
            return Facts("chain")
        case Button():
            return Facts("button")
        case Webhook() | WebhookDelivery():
            return Facts("webhook")
        case DataFile():
            owner = subject.username if subject.user_id is not None else None
            return Facts("datafile", {"name": subject.name, "owner": owner})
        case User() | Group() | Permission():
            return Facts("user")
    return Facts("object", {"model": getattr(subject, "object_type", "")})


def _of_job(job: JobRecord, queue: str | None) -> Mapping[str, Any]:
    return _Known(
        {
            "source": lambda: job.source,
            "grouping": lambda: job.grouping,
            "class_path": lambda: job.class_path,
            "queue": lambda: tuple(job.allowed_queues) if queue is None else queue,
            "enabled": lambda: bool(job.enabled),
            "hidden": lambda: bool(job.hidden),
            "read_only": lambda: bool(job.read_only),
            "restricted": lambda: bool(job.restricted),
        }
    )


def _of_result(result: JobResult | Schedule, db: Session | None) -> Mapping[str, Any]:
    def own(name: str) -> Any:
        return _attribute(result, name, db)

    return _Known(
        {
            "source": lambda: own("class_path").partition("/")[0],
            "grouping": lambda: _grouping(result, db),
            "class_path": lambda: own("class_path"),
            "queue": lambda: own("queue"),
            # Of someone who is gone nobody is the owner any more, whatever another one is called later.
            "owner": lambda: own("username") if own("user_id") is not None else None,
        }
    )


class _DataOf(Mapping[str, Any]):
    """The inputs of a result, loaded when a constraint speaks of one."""

    def __init__(self, result: JobResult, db: Session | None) -> None:
        self._result, self._db = result, db

    def _load(self) -> Mapping[str, Any]:
        return _attribute(self._result, "data", self._db) or {}

    def __getitem__(self, name: str) -> Any:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


def _attribute(result: JobResult | Schedule, name: str, db: Session | None) -> Any:
    # Pages load of a result only what they show.
    if name in vars(result) or db is None:
        return getattr(result, name)
    model = type(result)
    rows = _ask(db, select(getattr(model, name)).where(model.id == result.id))
    return rows[0][0] if rows else None


def _grouping(result: JobResult | Schedule, db: Session | None) -> str | None:
    job: JobRecord | None = vars(result).get("job")
    if job is not None or db is None:
        return job.grouping if job is not None else None
    rows = _ask(db, select(JobRecord.grouping).where(JobRecord.id == _attribute(result, "job_id", db)))
    return rows[0][0] if rows else None


def _is_withdrawn(subject: Any, asker: Asker, db: Session | None) -> bool:
    """Tell whether this is of a job that is switched off. The job itself is there for superusers: they asked for it."""
    if isinstance(subject, JobRecord):
        return bool(subject.withdrawn) and not asker.superuser
    if not isinstance(subject, JobResult | Schedule) or not asker.some_withdrawn:
        return False
    job: JobRecord | None = vars(subject).get("job")
    if job is not None or db is None:
        return job is not None and bool(job.withdrawn)
    rows = _ask(db, select(JobRecord.withdrawn).where(JobRecord.id == _attribute(subject, "job_id", db)))
    return bool(rows and rows[0][0])


def _ask(db: Session, query: Any) -> Sequence[Any]:
    """Read what has been committed, beside the session: on SQLite to ask there would take the write turn."""
    engine = db.get_bind().engine
    if engine.dialect.name != "sqlite":
        with db.no_autoflush:
            return db.execute(query).all()
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        return connection.execute(query).all()


def _may_come_in(asker: Asker | None) -> Decision:
    if asker is None or not asker.active:
        return Decision(False, "Only people who have signed in may do anything.")
    return Decision(True, f"{asker.username} has signed in.")


def _any(asker: Asker | None, action: str, kind: str) -> Decision:
    """Decide about a list, or about any of its rows."""
    if asker is not None and asker.limits is not None and (refusal := asker.limits.refusal(kind, action)):
        return Decision(False, refusal)
    if action == "view" and kind in _LISTED:
        return _may_come_in(asker)
    if asker is not None and asker.active and not asker.superuser and (own := grants_of(asker, action, kind)):
        return Decision(True, f"The permission {own[0].name} allows it.")
    return decide(replace(asker, limits=None) if asker is not None else None, action, Facts(kind))


def _question(action: str, subject: Any) -> Mapping[str, str]:
    kind = KINDS_OF.get(subject if isinstance(subject, type) else type(subject), "object")
    match subject:
        case JobRecord():
            name = subject.class_path
        case JobResult() | Schedule():
            name = str(subject.id)
        case JobSource() | GitSource() | DataFile():
            name = subject.name
        case _:
            name = str(getattr(subject, "object_type", ""))
    return {"action": action, "kind": kind, "subject": name or ""}


def _refusal(action: str, subject: Any, decided: Decision) -> str:
    if action == "run" and isinstance(subject, JobRecord):
        return f"You may not run {subject.name}. {decided.reason}"
    if action == "change" and isinstance(subject, JobResult):
        return f"You may not cancel this run. {decided.reason}"
    return decided.reason
