"""What a plugin's model is: a row in DATA with the few words job files and pages use."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from sqlalchemy import MetaData, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.columns import NAMING, TYPES
from store.data import current_session, only
from store.lookups import pk_of
from store.queryset import DoesNotExist, MultipleObjectsReturned, QuerySet

M = TypeVar("M", bound="ObjectModel")

#: Where a ValidationError keeps what is wrong with no single field.
WHOLE = "__all__"


class ValidationError(ValueError):
    """An object that must not be saved as it is: sentences by field.

    The arguments are those of Django's exception of this name: `%(name)s` in a lone sentence is filled in from `params`.
    """

    def __init__(
        self,
        errors: Mapping[str, Sequence[str] | str] | Sequence[str] | str,
        code: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(errors, str) and params:
            errors = errors % params
        given = errors if isinstance(errors, Mapping) else {WHOLE: errors}
        self.errors: dict[str, list[str]] = {
            name: [sentences] if isinstance(sentences, str) else [str(sentence) for sentence in sentences]
            for name, sentences in given.items()
        }
        self.code = code
        super().__init__(" ".join(self.messages))

    @property
    def messages(self) -> list[str]:
        return [sentence for sentences in self.errors.values() for sentence in sentences]

    @property
    def message_dict(self) -> dict[str, list[str]]:
        return self.errors


class ProtectedError(Exception):
    """An object that cannot be deleted because others need it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How pages and searches treat a model. A path goes through relations: "site__name"."""

    #: "device"; None: made of the class's name. The plural: the label and an "s".
    label: str | None = None
    label_plural: str | None = None
    #: Columns of a list, after the object itself.
    list_columns: tuple[str, ...] = ()
    #: What a page about one object says; empty: all columns and relations.
    facts: tuple[str, ...] = ()
    #: Of the facts the one that says how the object stands: it is shown beside its name.
    state: str = ""
    #: How its values look, in small letters: {"active": "ok"}; one of ok, warn, bad, run, hold and wait (also for others).
    state_looks: Mapping[str, str] = field(default_factory=dict)
    #: Of the facts those that stand below its name: what it is, and where.
    summary: tuple[str, ...] = ()
    #: Text columns a search looks into.
    search_fields: tuple[str, ...] = ("name",)
    #: The natural order: columns, or relations' columns, that are never null.
    ordering: tuple[str, ...] = ("name",)
    #: Further parameters of a search: {"manufacturer": "device_type__manufacturer"}.
    filters: Mapping[str, str] = field(default_factory=dict)
    #: Relations that `str()` or `display` need, loaded along in lists.
    loads: tuple[str, ...] = ()


class Objects:
    """`Model.objects`: the query that everything begins with."""

    def __get__(self, instance: object, owner: type[M]) -> QuerySet[M]:
        return QuerySet(owner, ordering=owner.options.ordering)


class ObjectModel(DeclarativeBase):
    """Base of all models of plugins; their tables are in the DATA database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES

    #: "<plugin label>.<model>", in lower case: what ObjectVar, addresses and logs call the model.
    object_type: ClassVar[str]
    options: ClassVar[Options] = Options()
    objects: ClassVar[Objects] = Objects()
    DoesNotExist: ClassVar[type[DoesNotExist]] = DoesNotExist
    MultipleObjectsReturned: ClassVar[type[MultipleObjectsReturned]] = MultipleObjectsReturned

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-100)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.object_type = f"{plugin_label_of(cls.__module__)}.{cls.__name__.lower()}"
        cls.DoesNotExist = _own_error(cls, DoesNotExist)
        cls.MultipleObjectsReturned = _own_error(cls, MultipleObjectsReturned)

    def __init__(self, **values: Any) -> None:
        """Make an object of these values, not yet saved; plain defaults apply at once."""
        for column in inspect(type(self)).column_attrs:
            default = getattr(column.columns[0], "default", None)
            if default is not None and default.is_scalar and column.key not in values:
                values[column.key] = default.arg
        for name, value in values.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name!r}.")
            setattr(self, name, value)

    def __str__(self) -> str:
        name = getattr(self, "name", None)
        return str(name) if name else f"{type(self).__name__} {self.pk}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    @property
    def pk(self) -> Any:
        return getattr(self, pk_of(type(self)).key)

    @property
    def display(self) -> str:
        """What choices and lists show; more telling than `str()` where a model says so."""
        return str(self)

    def get_absolute_url(self) -> str:
        return f"/objects/{self.object_type}/{self.pk}"

    def clean(self) -> None:
        """Check what concerns several fields. Raise ValidationError; overridden by models."""

    def full_clean(self) -> None:
        """Check required fields, lengths, unique fields and `clean()`. Raises ValidationError."""
        from store.validation import problems_of

        if errors := problems_of(self, current_session()):
            raise ValidationError(errors)

    def validated_save(self) -> None:
        """Check the object, then save it. Raises ValidationError, and then nothing is changed."""
        self.full_clean()
        try:
            self.save()
        except IntegrityError as error:
            # Another run was faster, between the check and here; or it is a rule only the database knows.
            self.full_clean()
            raise ValidationError(f"The database refused {self}: {error.orig}") from error

    def save(self) -> None:
        """Write this object, and no other, within the run's transaction."""
        session = current_session()
        # A savepoint: if the database refuses, what the run wrote before stays.
        with only(session, self), session.begin_nested():
            session.add(self)
            session.flush()

    def delete(self) -> None:
        """Delete this object. Raises ProtectedError where others need it."""
        session = current_session()
        try:
            with only(session, self), session.begin_nested():
                session.delete(self)
                session.flush()
        except IntegrityError as error:
            raise ProtectedError(f"{self} cannot be deleted: other objects refer to it.") from error

    def refresh_from_db(self) -> None:
        """Read this object again, forgetting changes that were not saved."""
        current_session().refresh(self)


def plugin_label_of(module_name: str) -> str:
    """Return the label of the plugin a models module belongs to, else its package's name: `acme.racks.models` -> "racks".

    Asked where models are defined: not every process that imports them has registered plugins.
    """
    parts = module_name.split(".")
    for end in range(len(parts), 0, -1):
        plugin = getattr(sys.modules.get(".".join(parts[:end])), "plugin", None)
        if isinstance(label := getattr(plugin, "label", None), str):
            return label
    if "models" in parts[1:]:
        parts = parts[: parts.index("models", 1)]
    return parts[-1].lower()


def title_of(path: str) -> str:
    """Return a field as people read it: `device_type_id` -> "Device type", `site__time_zone` -> "Time zone"."""
    words = path.split("__")[-1].removesuffix("_id").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _own_error(model: type[ObjectModel], base: type[Exception]) -> Any:
    names = {"__module__": model.__module__, "__qualname__": f"{model.__qualname__}.{base.__name__}"}
    return type(base.__name__, (base,), names)
