"""What somebody may see, as a condition for the database: the same as `store.decisions.decide` says of each row."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import String, and_, case, cast, exists, false, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from store.decisions import DATA, OF_JOBS, Asker, Limits, alternatives, grants_of
from store.models import (
    GIT,
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
)
from store.withdrawn import shown

KINDS_OF: Mapping[type[Any], str] = {
    JobRecord: "job",
    JobResult: "result",
    Schedule: "schedule",
    JobSource: "source",
    LoadError: "source",
    GitSource: "source",
    WorkerProcess: "worker",
    Queue: "worker",
    Channel: "channel",
    Delivery: "channel",
    Hook: "hook",
    Chain: "chain",
    Button: "button",
    Webhook: "webhook",
    WebhookDelivery: "webhook",
    DataFile: "datafile",
    User: "user",
    Group: "user",
    Permission: "user",
}


#: Given the wanted values, of which one has to fit, and the name of an input, returns the condition.
Column = Callable[[Sequence[Any], str], ColumnElement[bool]]


def condition(asker: Asker, model: type[Any], *, withdrawn: bool = False) -> ColumnElement[bool]:
    """Return what holds for the rows of `model` that `asker`, who has signed in, may view.

    withdrawn: a superuser has asked for what authors have switched off, too.
    """
    return _condition(asker, "view", model, _COLUMNS.get(model, {}), withdrawn=withdrawn)


def approvable(asker: Asker, run: type[JobResult] | type[Schedule]) -> ColumnElement[bool]:
    """Return what holds for the jobs of which `asker` may approve a run with the queue and inputs of a row of `run`."""
    asked = {key: column for key, column in _COLUMNS[run].items() if key in ("queue", DATA)}
    return _condition(asker, "approve", JobRecord, {**_COLUMNS[JobRecord], **asked})


def _condition(
    asker: Asker, action: str, model: type[Any], columns: Mapping[str, Column], *, withdrawn: bool = False
) -> ColumnElement[bool]:
    within = true() if asker.limits is None else _within(asker.limits, action, model)
    if asker.some_withdrawn and not (withdrawn and asker.superuser):
        within = and_(within, shown(model))
    if asker.superuser:
        return within
    grants = grants_of(asker, action, KINDS_OF[model])
    if any(not grant.constraints for grant in grants):
        return within
    constraints = _merged(one for grant in grants for one in grant.constraints)
    return and_(within, _any_of([_all_of(one, asker, columns) for one in constraints]))


def _merged(constraints: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield what allows the same in fewer constraints: somebody may have hundreds, and each row is held against them."""
    alone: dict[str, dict[Any, Any]] = {}
    others: dict[str, Mapping[str, Any]] = {}
    for constraint in constraints:
        if len(constraint) > 1:
            others[json.dumps(constraint, sort_keys=True)] = constraint
            continue
        for key, wanted in constraint.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            # 1 and true are equal to Python, and not to a constraint.
            alone.setdefault(key, {}).update(((type(value), value), value) for value in values)
    yield from ({key: list(values.values())} for key, values in alone.items())
    yield from others.values()


def _all_of(
    constraint: Mapping[str, Any], asker: Asker, columns: Mapping[str, Column]
) -> ColumnElement[bool]:
    made: list[ColumnElement[bool]] = [true()]
    for key, wanted in constraint.items():
        column = columns.get(key) or (columns.get(DATA) if key.startswith(DATA) else None)
        # None: inputs of a job, which nobody has filled in yet.
        if column is not None:
            made.append(column(alternatives(wanted, asker, key), key.removeprefix(DATA)))
    return and_(*made)


class _AnyOf(FunctionElement[bool]):
    """One of many conditions. SQLAlchemy would write them in one row, which SQLite takes for one in another."""

    inherit_cache = True
    type = true().type


@compiles(_AnyOf)
def _nested(element: Any, compiler: Any, **options: Any) -> str:
    parts = [f"({compiler.process(each, **options)})" for each in element.clauses]
    while len(parts) > 1:
        parts = [f"({' OR '.join(parts[start : start + 8])})" for start in range(0, len(parts), 8)]
    return parts[0]


def _any_of(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the conditions joined by OR."""
    if len(conditions) <= 1:
        return conditions[0] if conditions else false()
    return _AnyOf(*conditions)


def _within(limits: Limits, action: str, model: type[Any]) -> ColumnElement[bool]:
    if limits.refusal(KINDS_OF[model], action):
        return false()
    if KINDS_OF[model] not in OF_JOBS or not limits.class_paths:
        return true()
    return _texts(model.class_path, limits.class_paths)


class _Like(FunctionElement[bool]):
    """A text with `*` for anything: SQLite's LIKE takes A for a."""

    inherit_cache = True
    type = true().type


@compiles(_Like, "sqlite")
def _glob(element: Any, compiler: Any, **options: Any) -> str:
    column, glob, _like = element.clauses
    return f"{compiler.process(column, **options)} GLOB {compiler.process(glob, **options)}"


@compiles(_Like)
def _like(element: Any, compiler: Any, **options: Any) -> str:
    column, _glob, like = element.clauses
    return f"{compiler.process(column, **options)} LIKE {compiler.process(like, **options)} ESCAPE '/'"


def _texts(
    column: InstrumentedAttribute[Any] | ColumnElement[Any], wanted: Sequence[Any]
) -> ColumnElement[bool]:
    switches = [column.is_(each) for each in wanted if isinstance(each, bool)]
    texts = [str(each) for each in wanted if not isinstance(each, bool)]
    exact = [text for text in texts if "*" not in text]
    patterns = [_like_text(column, text) for text in texts if "*" in text]
    return _any_of([*switches, *([column.in_(exact)] if exact else []), *patterns])


def _like_text(column: InstrumentedAttribute[Any] | ColumnElement[Any], text: str) -> ColumnElement[bool]:
    glob = "*".join("".join(f"[{c}]" if c in "?[" else c for c in part) for part in text.split("*"))
    like = "%".join("".join(f"/{c}" if c in "/%_" else c for c in part) for part in text.split("*"))
    return _Like(column, glob, like)


def _plain(column: InstrumentedAttribute[Any]) -> Column:
    return lambda wanted, _: _texts(column, wanted)


class _Has(FunctionElement[bool]):
    """A JSON list of texts has this one among them."""

    inherit_cache = True
    type = true().type


@compiles(_Has, "sqlite")
def _has_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    listed, wanted = (compiler.process(each, **options) for each in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({listed}) AS each_one WHERE each_one.value = {wanted})"  # noqa: S608


@compiles(_Has)
def _has(element: Any, compiler: Any, **options: Any) -> str:
    listed, wanted = (compiler.process(each, **options) for each in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_array_elements_text({listed}) AS each_one WHERE each_one = {wanted})"  # noqa: S608


class _Source(FunctionElement[str]):
    """The part of a class path before its first slash."""

    inherit_cache = True
    type = String()


@compiles(_Source, "sqlite")
def _source_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    [path] = (compiler.process(each, **options) for each in element.clauses)
    return f"substr({path}, 1, instr({path} || '/', '/') - 1)"


@compiles(_Source)
def _source(element: Any, compiler: Any, **options: Any) -> str:
    [path] = (compiler.process(each, **options) for each in element.clauses)
    return f"split_part({path}, '/', 1)"


class _Kind(FunctionElement[str]):
    """What kind of JSON value there is under a name."""

    inherit_cache = True
    type = String()


@compiles(_Kind, "sqlite")
def _kind_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    data, name = (compiler.process(each, **options) for each in element.clauses)
    return f"json_type({data}, '$.' || {name})"


@compiles(_Kind)
def _kind(element: Any, compiler: Any, **options: Any) -> str:
    data, name = (compiler.process(each, **options) for each in element.clauses)
    return f"json_typeof({data} -> {name})"


def _queue_of_job(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
    has: list[ColumnElement[bool]] = [_Has(JobRecord.queues, each) for each in wanted]
    # Without a list there is the queue that every job has.
    empty = [cast(JobRecord.queues, String) == "[]"] if "default" in wanted else []
    return _any_of([*has, *empty])


def _of_runs(model: type[JobResult] | type[Schedule]) -> Mapping[str, Column]:
    """Return the columns of what somebody's job runs with."""

    def of_source(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
        return _texts(_Source(model.class_path), wanted)

    def of_grouping(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
        return exists().where(JobRecord.id == model.job_id, _texts(JobRecord.grouping, wanted))

    def of_owner(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
        return and_(model.user_id.is_not(None), _texts(model.username, wanted))

    def of_data(wanted: Sequence[Any], name: str) -> ColumnElement[bool]:
        return _any_of([_of_input(model, each, name) for each in wanted])

    return {
        "source": of_source,
        "grouping": of_grouping,
        "class_path": _plain(model.class_path),
        "queue": _plain(model.queue),
        "owner": of_owner,
        DATA: of_data,
    }


def _owner_of_file(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
    return and_(DataFile.user_id.is_not(None), _texts(DataFile.username, wanted))


def _source_of_git(wanted: Sequence[Any], _: str) -> ColumnElement[bool]:
    return _texts(literal(GIT) + GitSource.slug, wanted)


def _of_input(model: type[JobResult] | type[Schedule], wanted: Any, name: str) -> ColumnElement[bool]:
    kind, value = _Kind(model.data, name), model.data[name]
    if isinstance(wanted, bool):
        # SQLite says which of the two it is, PostgreSQL only that it is one.
        text = "true" if wanted else "false"
        return or_(kind == text, and_(kind == "boolean", cast(value.as_string(), String) == text))
    if isinstance(wanted, str):
        return and_(kind.in_(("text", "string")), _texts(cast(value.as_string(), String), [wanted]))
    # Only where it is one: PostgreSQL refuses to take anything else for a number.
    number = case((kind.in_(("integer", "real", "number")), value.as_float()), else_=None)
    return number == float(wanted)


_COLUMNS: Mapping[type[Any], Mapping[str, Column]] = {
    JobRecord: {
        "source": _plain(JobRecord.source),
        "grouping": _plain(JobRecord.grouping),
        "class_path": _plain(JobRecord.class_path),
        "queue": _queue_of_job,
        "enabled": _plain(JobRecord.enabled),
        "hidden": _plain(JobRecord.hidden),
        "read_only": _plain(JobRecord.read_only),
        "restricted": _plain(JobRecord.restricted),
    },
    JobResult: _of_runs(JobResult),
    Schedule: _of_runs(Schedule),
    JobSource: {"source": _plain(JobSource.name)},
    LoadError: {"source": _plain(LoadError.source)},
    GitSource: {"source": _source_of_git},
    DataFile: {"name": _plain(DataFile.name), "owner": _owner_of_file},
}
