"""What a page or a request has to ask of a job's code: computed choices, defaults and help, and `validate`."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jobs.data import Complete, Judged, judge
from jobs.errors import InvalidData
from jobs.kinds import secret_names
from jobs.showing import read_values
from jobs.variables import Objects, flat_choices
from store.models import JobRecord
from store.settings import Settings
from store.text import clean_text
from worker import helper
from worker.helper import HelperFailed

COMPUTED = {"choices": "The choices", "default": "The default", "description": "The help"}

#: What is shown to somebody who fills in a form.
SHOWN = ("choices", "default", "description")


class Questions:
    """The questions of one request: each is asked once, and all answers together wait for `seconds` at most.

    data_files: tells which data files there are to choose from, for who is shown choices.

    A job that has nothing computed and no `validate` is asked nothing.
    """

    def __init__(
        self,
        settings: Settings,
        job: JobRecord,
        *,
        username: str = "",
        seconds: float = helper.SECONDS,
        data_files: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._settings = settings
        self._class_path = job.class_path
        self._variables: Sequence[Mapping[str, Any]] = job.variables
        self._has_validate = job.has_validate
        self._discreet = job.has_sensitive_variables or bool(secret_names(job.variables))
        self._username = username
        self._seconds = seconds
        self._data_files = data_files
        self._deadline: float | None = None
        self._known: dict[tuple[str, str, str], Any] = {}
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

    def renew_time(self) -> None:
        """Let what is asked from now on take its time: a person has answered meanwhile."""
        self._deadline = None

    def described(self, objects: Objects) -> list[dict[str, Any]]:
        """Return the descriptions of all variables with what the job's code computes of them, for their defaults.

        What cannot be computed is as if nothing were there, and `problems` says why.
        """
        judged = self.judged({}, objects)
        return [
            dict(judged.described.get(variable["name"]) or self.complete(variable, judged.data))
            for variable in self._variables
        ]

    def judged(
        self,
        raw: Mapping[str, Any],
        objects: Objects,
        *,
        form: bool = False,
        untouched: Collection[str] = (),
        of_interest: Collection[str] | None = None,
    ) -> Judged:
        """Judge inputs that are still being filled in (see jobs.data.judge), and complete their descriptions.

        untouched: the inputs of a form that take their default. Only of these it is asked for.
        of_interest: the variables whose descriptions are completed; None: all.
        """
        asked = untouched if form else {variable["name"] for variable in self._variables} - raw.keys()

        def complete(variable: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
            if of_interest is not None and variable["name"] not in of_interest:
                return variable
            options = SHOWN if variable["name"] in asked else ("choices", "description")
            return self.complete(variable, values, options)

        return judge(self._variables, raw, objects=objects, form=form, complete=complete, untouched=untouched)

    def complete(
        self, variable: Mapping[str, Any], values: Mapping[str, Any], options: Collection[str] = SHOWN
    ) -> dict[str, Any]:
        """Return a description with what the job's code computes of it, given what it depends on."""
        described = dict(variable)
        for option in variable.get("computed") or ():
            if option in options:
                described[option] = self._computed(option, variable, values, described[option])
        if variable["type"] == "DataFileVar" and self._data_files is not None and "choices" in options:
            described["choices"] = [[name, name] for name in self._data_files()]
        return described

    def of_submit(self, raw: Any, *, form: bool) -> Complete:
        """Return what completes the descriptions as `raw` is to be checked with them."""
        given = set(raw) if isinstance(raw, Mapping) else set()

        def complete(variable: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
            name = variable["name"]
            # Of a form every input was filled in by somebody who saw it; JSON leaves out what is to take its default.
            left_out = not form and name not in given
            described = self.complete(variable, values, ("default",) if left_out else ())
            if name in given or (left_out and described.get("default") is not None):
                described = self.complete(described, values, ("choices",))
            if name in self.problems:
                raise InvalidData({name: self.problems[name]})
            return described

        return complete

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

    def _computed(
        self, option: str, variable: Mapping[str, Any], values: Mapping[str, Any], instead: Any
    ) -> Any:
        name = variable["name"]
        arguments: dict[str, Any] = {"variable": name}
        if variable.get("depends_on"):
            arguments["values"] = read_values(variable, values)
        key = (option, name, json.dumps(arguments, sort_keys=True, default=str))
        if key not in self._known:
            self._known[key] = instead
            try:
                self._known[key] = _CHECKS[option](self._ask(option, arguments))
            except HelperFailed as failure:
                sentence = f"{COMPUTED[option]} could not be computed: {failure}."
                self.problems.setdefault(name, []).append(sentence)
                self.details += [failure.details] if failure.details else []
        return self._known[key]

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


def _checked_text(answer: Any) -> str:
    if not isinstance(answer, str):
        raise HelperFailed("the job's code gave an answer that cannot be read")
    return clean_text(answer)


def _checked_verdict(verdict: Any) -> dict[str, list[str]] | list[str]:
    if isinstance(verdict, Mapping):
        return {str(name): [str(sentence) for sentence in said] for name, said in verdict.items()}
    return [str(sentence) for sentence in verdict] if isinstance(verdict, list) else [str(verdict)]


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "choices": _checked_choices,
    "default": lambda answer: answer,
    "description": _checked_text,
}
