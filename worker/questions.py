"""What a page or a request has to ask of a job's code: computed choices, computed defaults, and `validate`."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jobs.errors import InvalidData
from jobs.kinds import secret_names
from jobs.variables import flat_choices
from store.models import JobRecord
from store.settings import Settings
from worker import helper
from worker.helper import HelperFailed

COMPUTED = {"choices": "The choices", "default": "The default"}


class Questions:
    """The questions of one request: each is asked once, and all answers together wait for `seconds` at most.

    A job that has nothing computed and no `validate` is asked nothing.
    """

    def __init__(
        self, settings: Settings, job: JobRecord, *, username: str = "", seconds: float = helper.SECONDS
    ) -> None:
        self._settings = settings
        self._class_path = job.class_path
        self._variables: Sequence[Mapping[str, Any]] = job.variables
        self._has_validate = job.has_validate
        self._discreet = job.has_sensitive_variables or bool(secret_names(job.variables))
        self._username = username
        self._seconds = seconds
        self._deadline: float | None = None
        self._known: dict[tuple[str, str], Any] = {}
        #: What could not be computed: sentences by variable, for everybody.
        self.problems: dict[str, list[str]] = {}
        #: Tracebacks, for those who look after the portal.
        self.details: list[str] = []

    @property
    def validates(self) -> bool:
        """Whether the job judges its inputs itself."""
        return self._has_validate

    def needed(self) -> bool:
        """Tell whether the job's code may have to be asked at all."""
        return self._has_validate or any(variable.get("computed") for variable in self._variables)

    def described(
        self, *, choices: Collection[str] | None = None, defaults: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the descriptions of the variables with what the job's code computes in its place.

        choices, defaults: the variables for which that is of interest; None: all. What cannot be computed is as if
        nothing were there, and `problems` says why.
        """
        wanted = {"choices": choices, "default": defaults}
        return [self._described(variable, wanted) for variable in self._variables]

    def of_submit(self, raw: Any, *, form: bool) -> list[dict[str, Any]]:
        """Return the descriptions as `raw` is to be checked with them. Raises InvalidData if one cannot be had."""
        given = set(raw) if isinstance(raw, Mapping) else set()
        # Of a form every input was filled in by somebody who saw it; JSON leaves out what is to take its default.
        left_out = [] if form else [each for each in self._variables if each["name"] not in given]
        defaults = {each["name"] for each in left_out if "default" in each.get("computed", ())}
        plain = {each["name"] for each in left_out if each.get("default") is not None}
        described = self.described(choices=given | defaults | plain, defaults=defaults)
        if self.problems:
            raise InvalidData(self.problems)
        return described

    def validate(self, data: Mapping[str, Any]) -> None:
        """Have the job judge its inputs. Raises InvalidData, also if it cannot."""
        if not self._has_validate:
            return
        arguments = {"data": dict(data), "username": self._username}
        try:
            verdict = self._ask("validate", arguments)
        except HelperFailed as failure:
            self.details += [failure.details] if failure.details else []
            raise InvalidData([f"The job's own check could not be done: {failure}."]) from failure
        if verdict is not None:
            raise InvalidData(_checked_verdict(verdict))

    def _described(
        self, variable: Mapping[str, Any], wanted: Mapping[str, Collection[str] | None]
    ) -> dict[str, Any]:
        described = dict(variable)
        for option in variable.get("computed") or ():
            names = wanted[option]
            if names is None or variable["name"] in names:
                described[option] = self._computed(option, variable["name"], described[option])
        return described

    def _computed(self, option: str, name: str, instead: Any) -> Any:
        if (option, name) not in self._known:
            self._known[option, name] = instead
            try:
                self._known[option, name] = _CHECKS[option](self._ask(option, {"variable": name}))
            except HelperFailed as failure:
                sentence = f"{COMPUTED[option]} could not be computed: {failure}."
                self.problems.setdefault(name, []).append(sentence)
                self.details += [failure.details] if failure.details else []
        return self._known[option, name]

    def _ask(self, question: str, arguments: dict[str, Any]) -> Any:
        if self._deadline is None:
            # That the helper must first be started is not counted: it happens once, and is not the job's fault.
            helper.get_ready(self._settings)
            self._deadline = time.monotonic() + self._seconds
        return helper.ask(
            self._settings,
            self._class_path,
            question,
            arguments,
            discreet=self._discreet,
            seconds=self._deadline - time.monotonic(),
        )


def _checked_choices(answer: Any) -> list[Any]:
    """Return choices that pages can show, whatever came over the line."""
    try:
        for value, label in flat_choices(answer):
            if not isinstance(value, str) or not isinstance(label, str):
                raise TypeError
    except (TypeError, ValueError):
        raise HelperFailed("the job's code gave an answer that cannot be read") from None
    return list(answer)


def _checked_verdict(verdict: Any) -> dict[str, list[str]] | list[str]:
    if isinstance(verdict, Mapping):
        return {str(name): [str(sentence) for sentence in said] for name, said in verdict.items()}
    return [str(sentence) for sentence in verdict] if isinstance(verdict, list) else [str(verdict)]


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "choices": _checked_choices,
    "default": lambda answer: answer,
}
