"""What must hold before `validated_save` writes an object: one sentence for each problem."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, String, UniqueConstraint, inspect, select
from sqlalchemy.orm import Mapper, Session

from store.lookups import BadValue, coerce, condition, pk_of
from store.object_model import WHOLE, ObjectModel, ValidationError, title_of


def problems_of(obj: ObjectModel, session: Session) -> dict[str, list[str]]:
    """Return what is wrong with an object, by field."""
    values, problems = _values(obj)
    for name, sentence in _field_problems(obj, values):
        problems.setdefault(name, [sentence])
    if not problems:
        for name, sentence in _unique_problems(obj, values, session):
            problems.setdefault(name, []).append(sentence)
    try:
        obj.clean()
    except ValidationError as error:
        for name, sentences in error.errors.items():
            problems.setdefault(name, []).extend(sentences)
    return problems


def _values(obj: ObjectModel) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return what each column will hold, and what cannot be held.

    A relation that was set counts before its key column, which follows when the object is written.
    """
    mapper = _mapper(obj)
    values = {attribute.key: getattr(obj, attribute.key) for attribute in mapper.column_attrs}
    problems: dict[str, list[str]] = {}
    for name, key in _relations(mapper).items():
        if not inspect(obj).attrs[name].history.has_changes():
            continue
        related = getattr(obj, name)
        values[key] = None if related is None else related.pk
        if related is not None and related.pk is None:
            problems[name] = [f"{title_of(name)}: {related} is not saved yet; save it first."]
    for name in values:
        try:
            values[name] = coerce(getattr(type(obj), name), values[name])
        except BadValue as error:
            problems[name] = [f"{title_of(name)}: {error}"]
    return values, problems


def _field_problems(obj: ObjectModel, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    mapper = _mapper(obj)
    for attribute in mapper.column_attrs:
        column, value = attribute.columns[0], values[attribute.key]
        name = _field_of(mapper, attribute.key)
        if _is_missing(column, value):
            yield name, f"{title_of(name)} is required."
        elif isinstance(column.type, String) and isinstance(value, str):
            longest = column.type.length
            if longest is not None and len(value) > longest:
                yield name, f"{title_of(name)} has {len(value)} characters; at most {longest} fit."


def _is_missing(column: Any, value: Any) -> bool:
    if (
        column.primary_key
        or column.nullable
        or column.default is not None
        or column.server_default is not None
    ):
        return False
    # A required text with nothing in it is what people forgot, not what they meant.
    return value is None or (isinstance(value, str) and not value.strip())


def _unique_problems(obj: ObjectModel, values: dict[str, Any], session: Session) -> Iterator[tuple[str, str]]:
    mapper = _mapper(obj)
    model = type(obj)
    for columns in _unique_columns(mapper):
        keys = [mapper.get_property_by_column(column).key for column in columns]
        if any(values[key] is None for key in keys):
            continue  # Nulls never collide.
        same = [condition(model, key, values[key]) for key in keys]
        others = select(pk_of(model)).where(*same)
        if obj.pk is not None:
            others = others.where(pk_of(model) != obj.pk)
        if session.execute(others.limit(1)).first() is not None:
            names = [_field_of(mapper, key) for key in keys]
            yield names[0] if len(names) == 1 else WHOLE, _taken(model, names, obj)


def _taken(model: type[ObjectModel], names: list[str], obj: ObjectModel) -> str:
    label = model.options.label or model.__name__.lower()
    described = " and ".join(f"{title_of(name).lower()} {getattr(obj, name)!s}" for name in names)
    return f"A {label} with the {described} exists already."


def _unique_columns(mapper: Mapper[Any]) -> Iterator[list[Column[Any]]]:
    table: Any = mapper.local_table
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    rules = [
        list(rule.columns) for rule in [*constraints, *(index for index in table.indexes if index.unique)]
    ]
    # SQLAlchemy keeps them in sets; people get their sentences in the order of the columns.
    place = {column.name: number for number, column in enumerate(table.columns)}
    yield from sorted(rules, key=lambda columns: [place[column.name] for column in columns])


def _relations(mapper: Mapper[Any]) -> dict[str, str]:
    """Return {relation: key of the column it fills} for the relations this side holds."""
    return {
        relation.key: mapper.get_property_by_column(next(iter(relation.local_columns))).key
        for relation in mapper.relationships
        if relation.direction.name == "MANYTOONE" and len(relation.local_columns) == 1
    }


def _field_of(mapper: Mapper[Any], key: str) -> str:
    """Return the field people know a column by: `site` for `site_id`."""
    names = {column: relation for relation, column in _relations(mapper).items()}
    return names.get(key, key)


def _mapper(obj: ObjectModel) -> Mapper[Any]:
    mapper: Mapper[Any] = inspect(type(obj))
    return mapper
