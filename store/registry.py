"""Which models there are, by the names that jobs, addresses and the API use."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from store.lookups import FieldError, Relation, step
from store.object_model import ObjectModel, title_of


class UnknownModel(Exception):
    """A name that no installed plugin gave a model."""


class RegistrationError(Exception):
    """A model that cannot be registered, as a sentence for its author."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list, or one fact of a page about an object."""

    #: Attributes, one after the other: "device_type__manufacturer".
    path: str
    title: str

    def value(self, obj: Any) -> Any:
        """Return what the object has there: text, number, another object, or None."""
        for name in self.path.split("__"):
            if obj is None:
                return None
            obj = getattr(obj, name)
        return obj


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What pages and the API need to know about a model."""

    name: str
    model: type[ObjectModel]
    label: str
    label_plural: str
    list_columns: tuple[Column, ...]
    facts: tuple[Column, ...]
    #: None: nothing says how an object stands.
    state: Column | None
    summary: tuple[Column, ...]
    search_fields: tuple[str, ...]

    def cells(self, obj: ObjectModel) -> list[Any]:
        """Return the values of the list columns of an object."""
        return [column.value(obj) for column in self.list_columns]

    def state_of(self, obj: ObjectModel) -> tuple[str, str] | None:
        """Return how an object stands, as (word, how it looks): ("Active", "ok"); None where nothing says so."""
        value = self.state.value(obj) if self.state else None
        if value is None or value == "":
            return None
        word = str(value)
        return word, self.model.options.state_looks.get(word.lower(), "wait")

    def summary_of(self, obj: ObjectModel) -> list[Any]:
        """Return what stands below the name of an object; what it has nothing of is left out."""
        return [value for column in self.summary if (value := column.value(obj)) not in (None, "")]


_models: dict[str, ModelInfo] = {}


def models() -> dict[str, ModelInfo]:
    """Return all models by name, ordered by name."""
    return dict(sorted(_models.items()))


def model_info(name: str) -> ModelInfo:
    """Return the model of this name. Raises UnknownModel."""
    try:
        return _models[name.lower()]
    except KeyError:
        known = ", ".join(models()) or "none"
        raise UnknownModel(f"There is no model {name!r}. Known models: {known}.") from None


def get_model(name: str) -> type[ObjectModel]:
    """Return the class of the model of this name. Raises UnknownModel."""
    return model_info(name).model


def register_model(label: str, model: type[ObjectModel]) -> ModelInfo:
    """Make a model known as `<label>.<model>`. Doing it again changes nothing. Raises RegistrationError."""
    name = f"{label}.{model.__name__.lower()}"
    known = _models.get(name)
    if known is not None and known.model is not model:
        raise RegistrationError(f"two models are called {name!r}.")
    model.object_type = name
    _check_options(model)
    _models[name] = _info(name, model)
    return _models[name]


def models_in(module: ModuleType) -> list[type[ObjectModel]]:
    """Return the models that a module, or one below it, defines and the module shows."""
    return [
        model
        for model in vars(module).values()
        if isinstance(model, type)
        and issubclass(model, ObjectModel)
        and hasattr(model, "__table__")
        and f"{model.__module__}.".startswith(f"{module.__name__}.")
    ]


def referring(info: ModelInfo) -> list[tuple[ModelInfo, str]]:
    """Return which models refer to this one, and by which search parameter: (device, "site_id")."""
    return [
        (other, f"{relation.key}_id")
        for other in models().values()
        for relation in other.model.__mapper__.relationships
        if relation.entity.class_ is info.model and not relation.uselist
    ]


def _info(name: str, model: type[ObjectModel]) -> ModelInfo:
    options = model.options
    label = options.label or title_of(model.__name__).lower()
    return ModelInfo(
        name=name,
        model=model,
        label=label,
        label_plural=options.label_plural or f"{label}s",
        list_columns=tuple(Column(path, title_of(path)) for path in options.list_columns),
        facts=tuple(Column(path, title_of(path)) for path in options.facts or _all_facts(model)),
        state=Column(options.state, title_of(options.state)) if options.state else None,
        summary=tuple(Column(path, title_of(path)) for path in options.summary),
        search_fields=options.search_fields,
    )


def _all_facts(model: type[ObjectModel]) -> list[str]:
    mapper = model.__mapper__
    relations = {one.key: one for one in mapper.relationships if not one.uselist}
    keys = {column.key for one in relations.values() for column in one.local_columns}
    own = [
        one.key
        for one in mapper.column_attrs
        if one.columns[0].key not in keys and not one.columns[0].primary_key
    ]
    return own + list(relations)


def _check_options(model: type[ObjectModel]) -> None:
    options = model.options
    try:
        for name in options.ordering:
            _check_order(model, name)
        for path in (*options.search_fields, *options.filters.values()):
            last_step(model, path)
    except FieldError as error:
        raise RegistrationError(f"the options of {model.__name__} are wrong: {error}") from error


def last_step(model: type[Any], path: str) -> Any:
    """Return the column or relation at the end of a path. Raises FieldError."""
    found: Any = None
    for name in path.split("__"):
        found = step(model, name)
        model = found.target if isinstance(found, Relation) else model
    return found


def _check_order(model: type[ObjectModel], path: str) -> None:
    """Refuse to order by what may be null: pages are cut by comparing, and null compares with nothing."""
    for name in path.split("__"):
        found = step(model, name)
        column = found.column if isinstance(found, Relation) else found
        if column is None or column.expression.nullable:
            raise FieldError(f"{model.__name__}.{name} may be empty, so nothing can be ordered by it.")
        model = found.target if isinstance(found, Relation) else model
