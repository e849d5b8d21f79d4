"""A job's inputs as a form in code, as tests of job files ask for it: `job.as_form(data).is_valid()`."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.data import clean, restore
from jobs.errors import InvalidData
from jobs.variables import Objects, Variable


class NoObjects:
    """Stands in where there is no database: objects cannot be asked for by a key, only be handed over."""

    def find(self, model: str, value: Any, query_params: Mapping[str, Any]) -> Any:
        raise ValueError(f"There is no database here to look for a {model} in.")

    def find_many(self, model: str, values: Sequence[Any], query_params: Mapping[str, Any]) -> Sequence[Any]:
        raise ValueError(f"There is no database here to look for a {model} in.")

    def load(self, model: str, pk: Any) -> Any:
        raise LookupError(model)

    def load_many(self, model: str, pks: Sequence[Any]) -> Any:
        raise LookupError(model)


class JobForm:
    """The inputs of a job, checked as those of a run are. `errors` is {variable name: [messages]}."""

    def __init__(
        self,
        variables: Mapping[str, Variable],
        data: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        objects: Objects | None = None,
    ) -> None:
        self.fields = dict(variables)
        self.data = dict(data or {})
        self.initial = dict(initial or {})
        #: What the job would get, once the form is valid.
        self.cleaned_data: dict[str, Any] = {}
        #: Whether anything was filled in.
        self.is_bound = data is not None
        self._objects = objects or NoObjects()
        self._errors: dict[str, list[str]] | None = None

    @property
    def errors(self) -> dict[str, list[str]]:
        if self._errors is None:
            self._errors = self._check() if self.is_bound else {}
        return self._errors

    def is_valid(self) -> bool:
        return self.is_bound and not self.errors

    def _check(self) -> dict[str, list[str]]:
        descriptions = [variable.describe() for variable in self.fields.values()]
        try:
            cleaned = clean(descriptions, self.data, objects=self._objects, form=True)
        except InvalidData as error:
            return error.errors if isinstance(error.errors, dict) else {"__all__": error.errors}
        self.cleaned_data = restore(descriptions, cleaned, self._objects)
        return {}
