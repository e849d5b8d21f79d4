"""Tables of databases that already exist, as models: what is there is asked of the database itself."""

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from sqlalchemy import Engine, MetaData, NullPool, Table, create_engine, event
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.orm import Session

from store.data import ReadOnlySession, RunSession
from store.object_model import ObjectModel, Options
from store.registry import RegistrationError
from store.urls import without_password


class OtherDatabase:
    """A database beside ours. Nothing is kept open: it may be asked by processes that fork."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.url = url
        self.read_only = read_only

    @cached_property
    def engine(self) -> Engine:
        engine = create_engine(self.url, poolclass=NullPool)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", self._prepare_sqlite)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        elif engine.dialect.name == "postgresql" and self.read_only:
            return engine.execution_options(postgresql_readonly=True)
        # Other kinds of databases keep no such promise; but no session of ours writes to them.
        return engine

    def _prepare_sqlite(self, connection: Any, _record: Any) -> None:
        # Else the driver begins no transaction before a savepoint, and a rollback undoes nothing.
        connection.isolation_level = None
        if self.read_only:
            connection.execute("PRAGMA query_only = ON")


class ReflectedModel(ObjectModel):
    """Base of the models that `reflect` makes."""

    __abstract__ = True

    database: ClassVar[OtherDatabase]
    #: The first part of its name, in place of its plugin's.
    object_label: ClassVar[str]
    display_fields: ClassVar[Sequence[str]] = ()

    def __str__(self) -> str:
        texts = [str(value) for name in self.display_fields if (value := getattr(self, name)) is not None]
        return " ".join(texts) or f"{type(self).__name__} {self.pk}"


def reflect(
    name: str,
    *,
    url: str = "",
    display: str | Sequence[str] = "",
    search: Sequence[str] = (),
    columns: Sequence[str] = (),
    ordering: Sequence[str] = (),
    label: str = "",
    label_plural: str = "",
    key: str = "",
    read_only: bool = True,
) -> type[ObjectModel]:
    """Return a model for a table that exists: `Customer = reflect("warehouse.customers")` in a plugin's models.

    name: "<label>.<table>" or "<label>.<schema>.<table>"; the model is called "<label>.<table>".
    url: of its database; by default what the variable <LABEL>_URL says, WAREHOUSE_URL here.
    display: the column, or columns, that say which row it is; by default one called name, title or label.
    search, columns, ordering: of its lists (see Options); by default they are made of `display`.
    key: its primary key, where the database names none.
    Raises RegistrationError.
    """
    parts = name.split(".")
    if not 2 <= len(parts) <= 3 or not all(part.isidentifier() for part in parts):
        raise RegistrationError(f'{name!r} is no name of a table: write it like "warehouse.customers".')
    database = OtherDatabase(url or _url_of(parts[0]), read_only=read_only)
    table = _table(database, parts[1:], name, key)
    shown = [display] if isinstance(display, str) and display else list(display) or _telling(table)
    _check_columns(table, name, [*shown, *search, *columns, *ordering])
    return _model(
        parts[0],
        table,
        key,
        database,
        shown,
        Options(
            label=label or None,
            label_plural=label_plural or parts[-1].replace("_", " "),
            list_columns=tuple(columns) or tuple(_others(table, shown)),
            search_fields=tuple(search) or tuple(shown),
            ordering=tuple(ordering) or _never_null(table, [*shown, *([key] if key else [])]),
        ),
    )


def _url_of(label: str) -> str:
    variable = f"{label.upper()}_URL"
    url = os.environ.get(variable, "")
    if not url:
        raise RegistrationError(
            f"nothing says where the database {label!r} is: set {variable}, or give `url`."
        )
    return url


def _table(database: OtherDatabase, parts: Sequence[str], name: str, key: str) -> Table:
    schema = parts[0] if len(parts) == 2 else None
    where = without_password(database.url)
    try:
        table = Table(parts[-1], MetaData(), schema=schema, autoload_with=database.engine)
    except NoSuchTableError:
        raise RegistrationError(f"there is no table {'.'.join(parts)} at {where} (for {name!r}).") from None
    except (SQLAlchemyError, ImportError) as error:
        raise RegistrationError(f"{where} cannot be asked for {name!r}: {_said(error)}") from error
    keys = [key] if key else [column.key for column in table.primary_key.columns]
    _check_columns(table, name, keys)
    if len(keys) != 1:
        why = "no primary key" if not keys else "a primary key of several columns"
        raise RegistrationError(f"the table of {name!r} has {why}: name one column with `key`.")
    return table


def _model(
    label: str, table: Table, key: str, database: OtherDatabase, shown: Sequence[str], options: Options
) -> type[ObjectModel]:
    names: dict[str, Any] = {
        "__module__": sys._getframe(2).f_globals["__name__"],
        "__table__": table,
        "database": database,
        "object_label": label,
        "display_fields": tuple(shown),
        "options": options,
    }
    if key:
        names["__mapper_args__"] = {"primary_key": [table.c[key]]}
    if "id" not in table.c:
        names["id"] = None  # Other models have one.
    class_name = "".join(word.capitalize() for word in table.name.split("_"))
    return type(class_name, (ReflectedModel,), names)


def _check_columns(table: Table, name: str, wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in table.c:
            known = ", ".join(each.key for each in table.c)
            raise RegistrationError(f"the table of {name!r} has no column {column!r}; it has: {known}.")


def _telling(table: Table) -> list[str]:
    """Return the column that most likely says which row it is."""
    named = [name for name in ("name", "title", "label", "description", "slug") if name in table.c]
    return named[:1] or [column.key for column in table.primary_key.columns]


def _others(table: Table, shown: Sequence[str]) -> list[str]:
    keys = {column.key for column in table.primary_key.columns}
    return [column.key for column in table.c if column.key not in keys and column.key not in shown][:4]


def _never_null(table: Table, shown: Sequence[str]) -> tuple[str, ...]:
    keys = [column.key for column in table.primary_key.columns]
    return tuple(name for name in shown or keys if not table.c[name].nullable)


def _said(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]


@event.listens_for(RunSession, "before_flush")
def _refuse_changes(session: Session, _context: object, _instances: object) -> None:
    for changed in (session.new, session.dirty, session.deleted):
        for instance in changed:
            if isinstance(instance, ReflectedModel) and instance.database.read_only:
                raise ReadOnlySession(
                    f"{instance.object_type} is only read here: reflect(..., read_only=False) lets jobs change it."
                )
