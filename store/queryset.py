"""Lazy queries over the models of plugins, in the words job files use: `Device.objects.filter(...)`.

The words and their meaning are those of Django's QuerySet, the dialect of the field's network
jobs (https://docs.djangoproject.com/en/stable/ref/models/querysets/).
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Self, TypeVar, cast, overload

from sqlalchemy import ColumnElement, CursorResult, Select, func, select, update
from sqlalchemy.orm import Session, aliased, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from store.data import current_session
from store.lookups import (
    BadValue,
    FieldError,
    Relation,
    coerce,
    column_named,
    condition,
    negated,
    pk_of,
    shown,
    step,
)

__all__ = ["BadValue", "DoesNotExist", "FieldError", "MultipleObjectsReturned", "QuerySet"]

T = TypeVar("T")

#: How many objects `repr` shows before it says that there are more.
SHOWN = 20


class DoesNotExist(Exception):
    """No object fits. Every model has its own: `Device.DoesNotExist`."""


class MultipleObjectsReturned(Exception):
    """More than one object fits where one was asked for."""


class QuerySet(Generic[T]):
    """Objects of one model, asked of the database when they are first needed.

    T is what iteration gives: instances, or what `values_list` and `values` were asked for.
    """

    def __init__(
        self, model: type[Any], *, ordering: Sequence[str] = (), session: Session | None = None
    ) -> None:
        self.model = model
        self._session = session
        self._conditions: tuple[ColumnElement[bool], ...] = ()
        #: The lookups so far, for the sentence of an error.
        self._asked: tuple[str, ...] = ()
        self._ordering = tuple(ordering)
        self._ordered_by_caller = False
        self._reversed = False
        self._distinct = False
        self._empty = False
        self._start = 0
        self._stop: int | None = None
        self._options: tuple[ORMOption, ...] = ()
        self._fields: tuple[str, ...] | None = None
        self._shape: Callable[[tuple[Any, ...]], Any] | None = None
        self._found: list[T] | None = None

    # --- Which objects ---

    def all(self) -> Self:
        return self._clone()

    def none(self) -> Self:
        return self._clone(_empty=True)

    def filter(self, **lookups: Any) -> Self:
        """Keep the objects for which all lookups hold. Raises FieldError, BadValue."""
        return self._narrowed(self._conditions_of(lookups), lookups)

    def exclude(self, **lookups: Any) -> Self:
        """Drop the objects for which all lookups hold."""
        if not lookups:
            return self.all()
        return self._narrowed([negated(self._conditions_of(lookups))], lookups, "not ")

    def order_by(self, *names: str) -> Self:
        """Order by these fields, "-name" for descending, "site__name" for one of another model."""
        self._refuse_slice("order")
        for name in names:
            self._check_path(name.removeprefix("-"))
        return self._clone(_ordering=names, _ordered_by_caller=True, _reversed=False)

    def reverse(self) -> Self:
        self._refuse_slice("reverse")
        return self._clone(_reversed=not self._reversed)

    def distinct(self) -> Self:
        self._refuse_slice("make distinct")
        return self._clone(_distinct=True)

    # --- What of them ---

    @overload
    def values_list(self, *fields: str) -> "QuerySet[tuple[Any, ...]]": ...
    @overload
    def values_list(self, *fields: str, flat: bool) -> "QuerySet[Any]": ...
    def values_list(self, *fields: str, flat: bool = False) -> "QuerySet[Any]":
        """Give tuples of these fields instead of objects; with flat=True and one field, its values."""
        if flat and len(fields) != 1:
            raise TypeError("values_list(flat=True) takes exactly one field.")
        return self._with_fields(fields, (lambda row: row[0]) if flat else tuple)

    def values(self, *fields: str) -> "QuerySet[dict[str, Any]]":
        """Give dicts of these fields instead of objects."""
        names = fields or self._column_names()
        return self._with_fields(names, lambda row: dict(zip(names, row, strict=True)))

    def select_related(self, *paths: str) -> Self:
        """Load the objects at these paths along; without a path, all that are one step away."""
        return self._loading(paths or self._single_relations(), joinedload)

    def prefetch_related(self, *paths: str) -> Self:
        """Load the objects at these paths along, with one further query for each step."""
        return self._loading(paths, selectinload)

    # --- Asking ---

    def get(self, **lookups: Any) -> T:
        """Return the one object that fits. Raises the model's DoesNotExist, MultipleObjectsReturned."""
        asked = self.filter(**lookups) if lookups else self._clone()
        found = asked._rows(limit=2)
        if len(found) == 1:
            return found[0]
        name = self.model.__name__
        described = ", ".join(asked._asked) or "the query"
        if not found:
            raise self._error("DoesNotExist", DoesNotExist)(f"No {name} fits {described}.")
        several = self._error("MultipleObjectsReturned", MultipleObjectsReturned)
        raise several(f"More than one {name} fits {described}.")

    def first(self) -> T | None:
        found = self._rows(limit=1)
        return found[0] if found else None

    def last(self) -> T | None:
        if self._sliced:
            found = list(self)
            return found[-1] if found else None
        return self.reverse().first()

    def exists(self) -> bool:
        if self._found is not None:
            return bool(self._found)
        statement = self._windowed(self._filtered(select(pk_of(self.model))), limit=1)
        return not self._empty and self._db.execute(statement).first() is not None

    def count(self) -> int:
        if self._found is not None:
            return len(self._found)
        if self._empty:
            return 0
        if self._distinct or self._sliced:
            counted = self._statement().order_by(None) if not self._sliced else self._statement()
        else:
            counted = self._filtered(select(pk_of(self.model)))
        return self._db.scalar(select(func.count()).select_from(counted.subquery())) or 0

    def iterator(self, chunk_size: int = 2000) -> Iterator[T]:
        """Go through the objects without keeping them, some thousand at a time."""
        # Keys first, then objects by key: a query left open would keep a run on SQLite from writing.
        if self._fields is not None or self._empty:
            yield from self._rows()
            return
        pk = pk_of(self.model)
        keys = [key for (key, *_) in self._db.execute(self._ordered(self._filtered(self._keys())))]
        keys = keys[self._start : self._stop]
        for start in range(0, len(keys), chunk_size):
            part = keys[start : start + chunk_size]
            statement = (
                select(self.model).options(*self._options).where(condition(self.model, "pk__in", part))
            )
            by_key = {getattr(found, pk.key): found for found in self._db.scalars(statement).unique()}
            yield from (by_key[key] for key in part if key in by_key)

    def __iter__(self) -> Iterator[T]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return bool(self._all())

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._all()

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Self | list[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Self | list[T]":
        bounds = (index.start, index.stop) if isinstance(index, slice) else (index,)
        if any(bound is not None and bound < 0 for bound in bounds):
            raise ValueError("A query cannot count from its end; use reverse() or last().")
        if self._found is not None:
            return self._found[index]
        if isinstance(index, slice):
            window = self._window(index.start or 0, index.stop)
            return window if index.step is None else list(window)[:: index.step]
        found = self._window(index, index + 1)._rows()
        if not found:
            raise IndexError(f"There is no object at {index}.")
        return found[0]

    def __repr__(self) -> str:
        shown: list[Any] = (
            list(self._window(0, SHOWN + 1)) if self._found is None else self._found[: SHOWN + 1]
        )
        if len(shown) > SHOWN:
            shown[-1] = "... and more"
        return f"<QuerySet {shown!r}>"

    def as_subquery(self) -> Select[Any]:
        """Return the statement for `field__in=queryset`: keys, or the one field asked for."""
        if self._fields is not None and len(self._fields) != 1:
            raise TypeError("A query used as a list of values gives one field.")
        name = self._fields[0] if self._fields else "pk"
        found = self._clone(_fields=(name,))
        statement = found._statement() if self._sliced else found._statement().order_by(None)
        return statement.where(pk_of(self.model).is_(None)) if self._empty else statement

    # --- Changing ---

    def create(self, **values: Any) -> T:
        instance = self.model(**values)
        instance.save()
        return cast(T, instance)

    def get_or_create(self, defaults: dict[str, Any] | None = None, **lookups: Any) -> tuple[T, bool]:
        """Return the object that fits, else a new one of the lookups and defaults; and whether it is new."""
        found = self.filter(**lookups)._rows(limit=2)
        if found:
            return (found[0] if len(found) == 1 else self.get(**lookups)), False
        values = {name: value for name, value in lookups.items() if "__" not in name}
        return self.create(**{**values, **(defaults or {})}), True

    def update_or_create(self, defaults: dict[str, Any] | None = None, **lookups: Any) -> tuple[T, bool]:
        """Change the object that fits to the defaults, else make it; and say whether it is new."""
        found, created = self.get_or_create(defaults, **lookups)
        if not created:
            for name, value in (defaults or {}).items():
                setattr(found, name, value)
            cast(Any, found).save()
        return found, created

    def update(self, **values: Any) -> int:
        """Change these columns of all the objects at once; return how many there were."""
        self._refuse_slice("update")
        if self._empty or not values:
            return 0
        columns = {column_named(self.model, name): value for name, value in values.items()}
        changes = {column: coerce(column, value) for column, value in columns.items()}
        statement = update(self.model).where(*self._conditions).values(changes)
        done = self._db.execute(statement, execution_options={"synchronize_session": "fetch"})
        self._found = None
        return cast(CursorResult[Any], done).rowcount

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete all the objects; return how many, and how many of which model."""
        self._refuse_slice("delete")
        # One by one, so that whatever watches single objects sees them go.
        objects = list(self._clone(_fields=None, _shape=None))
        for found in objects:
            cast(Any, found).delete()
        self._found = None
        return len(objects), {self.model.__name__: len(objects)} if objects else {}

    # --- Details ---

    @property
    def loading_options(self) -> tuple[ORMOption, ...]:
        """What select_related and prefetch_related asked for, for a statement of another making."""
        return self._options

    @property
    def _db(self) -> Session:
        return self._session or current_session()

    @property
    def _sliced(self) -> bool:
        return self._start > 0 or self._stop is not None

    def _clone(self, **changes: Any) -> Self:
        clone = copy.copy(self)
        clone._found = None
        for name, value in changes.items():
            setattr(clone, name, value)
        return clone

    def _narrowed(
        self, conditions: Iterable[ColumnElement[bool]], lookups: dict[str, Any], prefix: str = ""
    ) -> Self:
        if lookups:
            self._refuse_slice("filter")
        asked = tuple(f"{prefix}{name}={shown(value)}" for name, value in lookups.items())
        return self._clone(_conditions=(*self._conditions, *conditions), _asked=(*self._asked, *asked))

    def _conditions_of(self, lookups: dict[str, Any]) -> list[ColumnElement[bool]]:
        return [condition(self.model, lookup, value) for lookup, value in lookups.items()]

    def _refuse_slice(self, act: str) -> None:
        if self._sliced:
            raise TypeError(f"Cannot {act} a query once a slice has been taken of it.")

    def _window(self, start: int, stop: int | None) -> Self:
        """Return the part from start to stop, counted within the part this already is."""
        ends = [end for end in (self._stop, None if stop is None else self._start + stop) if end is not None]
        return self._clone(_start=self._start + start, _stop=min(ends) if ends else None)

    def _with_fields(self, fields: Sequence[str], shape: Callable[[Any], Any]) -> "QuerySet[Any]":
        names = tuple(fields) or self._column_names()
        for name in names:
            self._check_path(name)
        return cast("QuerySet[Any]", self._clone(_fields=names, _shape=shape))

    def _column_names(self) -> tuple[str, ...]:
        return tuple(self.model.__mapper__.column_attrs.keys())

    def _single_relations(self) -> tuple[str, ...]:
        return tuple(one.key for one in self.model.__mapper__.relationships if not one.uselist)

    def _check_path(self, path: str) -> None:
        Joins(self.model).column(path)

    def _loading(self, paths: Iterable[str], load: Callable[..., Any]) -> Self:
        options = tuple(self._load_option(path, load) for path in paths)
        return self._clone(_options=(*self._options, *options))

    def _load_option(self, path: str, load: Callable[..., Any]) -> Any:
        model, option = self.model, None
        for name in path.split("__"):
            found = step(model, name)
            if not isinstance(found, Relation):
                raise FieldError(f"{model.__name__}.{name} is no relation to another model.")
            option = (
                load(found.attribute) if option is None else getattr(option, load.__name__)(found.attribute)
            )
            model = found.target
        return option

    def _error(self, name: str, default: type[Exception]) -> type[Exception]:
        return cast(type[Exception], getattr(self.model, name, default))

    # --- Statements ---

    def _all(self) -> list[T]:
        if self._found is None:
            self._found = self._rows()
        return self._found

    def _rows(self, limit: int | None = None) -> list[T]:
        if self._empty:
            return []
        if self._found is not None:
            return self._found[:limit]
        statement = self._statement(limit)
        if self._fields is None:
            return cast(list[T], list(self._db.scalars(statement).unique()))
        shape = self._shape or tuple
        return [cast(T, shape(row)) for row in self._db.execute(statement)]

    def _statement(self, limit: int | None = None) -> Select[Any]:
        statement: Select[Any] = select(self.model).options(*self._options)
        return self._windowed(self._ordered(self._filtered(statement)), limit)

    def _keys(self) -> Select[Any]:
        return select(pk_of(self.model))

    def _filtered(self, statement: Select[Any]) -> Select[Any]:
        return statement.where(*self._conditions)

    def _windowed(self, statement: Select[Any], limit: int | None = None) -> Select[Any]:
        if self._stop is not None:
            left = max(0, self._stop - self._start)
            limit = left if limit is None else min(left, limit)
        if limit is not None:
            statement = statement.limit(limit)
        return statement.offset(self._start) if self._start else statement

    def _ordered(self, statement: Select[Any]) -> Select[Any]:
        joins = Joins(self.model)
        if self._fields is not None:
            columns = [joins.column(name) for name in self._fields]
            statement = statement.with_only_columns(*columns, maintain_column_froms=True)
        orders = [self._order(joins, name) for name in self._order_names()]
        statement = joins.added_to(statement).order_by(*orders)
        return statement.distinct() if self._distinct else statement

    def _order_names(self) -> list[str]:
        if self._distinct and self._fields is not None:
            # Rows are distinct by what they show; another order would have to be shown too.
            names = self._ordering if self._ordered_by_caller else ()
            return [name for name in names if name.removeprefix("-") in self._fields]
        return [*self._ordering, "pk"]

    def _order(self, joins: "Joins", name: str) -> ColumnElement[Any]:
        column = joins.column(name.removeprefix("-"))
        descending = name.startswith("-") != self._reversed
        return cast(ColumnElement[Any], column.desc() if descending else column.asc())


class Joins:
    """Columns of other models by path, and the joins one statement needs for them."""

    def __init__(self, model: type[Any]) -> None:
        self._model = model
        self._joined: dict[tuple[str, ...], Any] = {}
        self._targets: list[Any] = []

    def column(self, path: str) -> Any:
        *steps, name = path.split("__")
        model, entity = self._model, self._model
        for depth, relation_name in enumerate(steps, start=1):
            relation = step(model, relation_name)
            if not isinstance(relation, Relation):
                raise FieldError(f"{model.__name__}.{relation_name} is no relation to another model.")
            entity = self._entity(tuple(steps[:depth]), entity, relation)
            model = relation.target
        return getattr(entity, column_named(model, name).key)

    def added_to(self, statement: Select[Any]) -> Select[Any]:
        for target in self._targets:
            statement = statement.outerjoin(target)
        return statement

    def _entity(self, path: tuple[str, ...], parent: Any, relation: Relation) -> Any:
        if path not in self._joined:
            self._joined[path] = aliased(relation.target)
            attribute = getattr(parent, relation.attribute.key)
            self._targets.append(attribute.of_type(self._joined[path]))
        return self._joined[path]
