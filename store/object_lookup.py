"""What the values of ObjectVars name: asked by whoever validates the data of a run, and by the run."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.lookups import BadValue, FieldError, coerce, condition, pk_of, shown
from store.object_model import ObjectModel
from store.object_search import SearchRefused, fits
from store.queryset import QuerySet
from store.registry import ModelInfo, UnknownModel, model_info


class LookupFailed(ValueError, LookupError):
    """A value that names no object, or not exactly one, or one that does not fit: a sentence.

    Both of its bases, because that is what the room of jobs, which knows nothing of this one, expects.
    """


class ObjectLookup:
    """Finds objects in one session. `model` is a name such as "inventory.device"."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, model: str, value: Any, query_params: Mapping[str, Any] | None = None) -> int | str:
        """Return the key of the object that `value` names: a key, or {lookup: value, ...}.

        query_params: filters it must fit as well, as `search` takes them. Raises LookupFailed.
        """
        info = _info(model)
        key = self._by_lookups(info, value) if isinstance(value, Mapping) else self._by_key(info, value)
        self._check_fit(info, [key], query_params)
        return _plain(key)

    def find_many(
        self, model: str, values: Iterable[Any], query_params: Mapping[str, Any] | None = None
    ) -> list[int | str]:
        """Return the keys of the objects that `values` name, in their order, each once."""
        info = _info(model)
        given = [value for value in values if not isinstance(value, Mapping)]
        known = self._known(info, [_key(info, value) for value in given])
        keys: dict[Any, None] = {}
        for value in values:
            key = self._by_lookups(info, value) if isinstance(value, Mapping) else _key(info, value)
            if not isinstance(value, Mapping) and key not in known:
                raise _no_such(info, value)
            keys[key] = None
        self._check_fit(info, list(keys), query_params)
        return [_plain(key) for key in keys]

    def load(self, model: str, pk: Any) -> ObjectModel:
        """Return the object with this key. Raises LookupFailed, as when it was deleted meanwhile."""
        info = _info(model)
        found = self._session.get(info.model, _key(info, pk))
        if found is None:
            raise _no_such(info, pk)
        return found

    def load_many(self, model: str, pks: Iterable[Any]) -> QuerySet[Any]:
        """Return the objects with these keys as a query. Raises LookupFailed if one is missing."""
        info = _info(model)
        keys = self.find_many(model, pks)
        objects = QuerySet[Any](info.model, ordering=info.model.options.ordering, session=self._session)
        return objects.filter(pk__in=keys)

    def _by_key(self, info: ModelInfo, value: Any) -> Any:
        key = _key(info, value)
        if not self._known(info, [key]):
            raise _no_such(info, value)
        return key

    def _known(self, info: ModelInfo, keys: list[Any]) -> set[Any]:
        statement = select(pk_of(info.model)).where(condition(info.model, "pk__in", keys))
        return set(self._session.scalars(statement))

    def _by_lookups(self, info: ModelInfo, lookups: Mapping[Any, Any]) -> Any:
        if not lookups:
            raise LookupFailed(f"Say which {info.label} is meant.")
        try:
            conditions = [condition(info.model, str(name), value) for name, value in lookups.items()]
        except (FieldError, BadValue) as error:
            raise LookupFailed(str(error)) from None
        found = self._session.scalars(select(pk_of(info.model)).where(*conditions).limit(2)).all()
        if not found:
            raise LookupFailed(f"No {info.label} fits {_described(lookups)}.")
        if len(found) > 1:
            raise LookupFailed(f"More than one {info.label} fits {_described(lookups)}.")
        return found[0]

    def _check_fit(self, info: ModelInfo, keys: list[Any], params: Mapping[str, Any] | None) -> None:
        if not params or not keys:
            return
        unfit = set(keys) - self._fitting(info, keys, params)
        for key in keys:
            if key in unfit:
                raise LookupFailed(f"{self.load(info.name, key)} does not fit {_described(params)}.")

    def _fitting(self, info: ModelInfo, keys: list[Any], params: Mapping[str, Any]) -> set[Any]:
        try:
            wanted = [fits(info.model, name, value) for name, value in params.items()]
        except SearchRefused as error:
            raise LookupFailed(str(error)) from None
        wanted.append(condition(info.model, "pk__in", keys))
        return set(self._session.scalars(select(pk_of(info.model)).where(*wanted)))


def _info(model: str) -> ModelInfo:
    try:
        return model_info(model)
    except UnknownModel as error:
        raise LookupFailed(str(error)) from None


def _key(info: ModelInfo, value: Any) -> Any:
    if value is None or isinstance(value, bool | list | dict):
        raise LookupFailed(f"{shown(value)} is no key of a {info.label}.")
    try:
        return coerce(pk_of(info.model), value)
    except BadValue:
        raise _no_such(info, value) from None


def _no_such(info: ModelInfo, value: Any) -> LookupFailed:
    text = str(value)
    return LookupFailed(
        f"There is no {info.label} with the key {text if len(text) <= 40 else text[:37] + '...'}."
    )


def _plain(key: Any) -> int | str:
    return key if isinstance(key, int) else str(key)


def _described(params: Mapping[Any, Any]) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in params.items())
    return text if len(text) <= 100 else f"{text[:97]}..."
