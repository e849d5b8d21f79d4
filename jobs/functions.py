"""Functions as jobs: `@job` makes one of a function whose parameters have type hints."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, ClassVar, TypeVar, get_type_hints, overload

from jobs.errors import BadJob, InvalidData, JobFailed
from jobs.hints import NOTHING, Input, input_for
from jobs.job import BaseJob, Job

F = TypeVar("F", bound=Callable[..., Any])

#: What a first parameter is called that gets the job itself.
JOB_NAMES = ("job", "self")

#: A parameter of this name gets whether the run saves its changes; it is no input.
COMMIT = "commit"


@dataclass(slots=True)
class Asked:
    """What a function asks for."""

    function: Callable[..., Any]
    parameters: inspect.Signature
    #: The parameter that gets the job; "": none does.
    job_name: str = ""
    takes_commit: bool = False
    inputs: dict[str, Input] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Why the function cannot be a job, as a sentence for its author.
    problem: str = ""

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs as the function wants them. Raises InvalidData."""
        values: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for name, wanted in self.inputs.items():
            try:
                values[name] = wanted.give(given.get(name))
            except ValueError as error:
                errors[name] = [str(error)]
        if errors:
            raise InvalidData(errors)
        return values

    def call(self, job: BaseJob, given: Mapping[str, Any]) -> Any:
        if self.problem:
            raise BadJob(self.problem)
        try:
            values = self.values(given)
        except InvalidData as error:
            # The choices, say, are others since the run was asked for.
            raise JobFailed(f"The inputs do not fit the function: {error}") from error
        if self.job_name:
            values[self.job_name] = job
        if self.takes_commit:
            values[COMMIT] = given[COMMIT]
        bound = inspect.BoundArguments(self.parameters, values)
        return self.function(*bound.args, **bound.kwargs)


class FunctionJob(Job):
    """A job that was written as a function."""

    _asked: ClassVar[Asked]


@overload
def job(function: F, /) -> F: ...


@overload
def job(**facts: Any) -> Callable[[F], F]: ...


def job(function: Any = None, /, **facts: Any) -> Any:
    """Make a job of a function: `@job`, or with facts that otherwise stand in `Meta`, `@job(read_only=True)`.

    The function stays what it is; its `job_class` is the job.
    """
    if function is None:
        return lambda given: _with_job(given, facts)
    return _with_job(function, facts)


def job_of(value: Any) -> Any:
    """Return the job class that a function stands for; anything else as it is."""
    return vars(value).get("job_class", value) if isinstance(value, FunctionType) else value


def _with_job(function: Any, facts: Mapping[str, Any]) -> Any:
    if not isinstance(function, FunctionType):
        raise TypeError("@job stands above a function; what is to be a class subclasses Job.")
    vars(function)["job_class"] = _job_class(function, facts)
    return function


def _job_class(function: FunctionType, facts: Mapping[str, Any]) -> type[FunctionJob]:
    asked = _asked_by(function, facts)
    body: dict[str, Any] = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "Meta": type("Meta", (), dict(facts)),
        "run": _run_for(asked),
        "_asked": asked,
        **{name: wanted.variable for name, wanted in asked.inputs.items()},
    }
    if any(wanted.kind.judges for wanted in asked.inputs.values()):
        body["validate"] = _validate
    return type(_camel_case(function.__name__), (FunctionJob,), body)


def _asked_by(function: FunctionType, facts: Mapping[str, Any]) -> Asked:
    """Read the signature. What is wrong with it is told later: a module's other jobs have nothing to do with it."""
    asked = Asked(function, inspect.signature(function), facts=facts)
    try:
        _read(asked)
    except BadJob as error:
        asked.problem = str(error)
    return asked


def _read(asked: Asked) -> None:
    if inspect.iscoroutinefunction(asked.function):
        raise BadJob("It is an async function: let an ordinary one call asyncio.run.")
    try:
        hints = get_type_hints(asked.function, include_extras=True)
    except Exception as error:  # They are expressions of the author's.
        raise BadJob(f"Its type hints cannot be read: {type(error).__name__}: {error}") from error
    for number, parameter in enumerate(asked.parameters.parameters.values()):
        if number == 0 and _is_for_job(parameter, hints):
            asked.job_name = parameter.name
        elif parameter.name == COMMIT:
            asked.takes_commit = True
        else:
            asked.inputs[parameter.name] = _input(parameter, hints)


def _is_for_job(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> bool:
    hint = hints.get(parameter.name)
    if hint is None:
        return parameter.name in JOB_NAMES
    return isinstance(hint, type) and issubclass(hint, BaseJob)


def _input(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Input:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise BadJob(f"{name} stands for any number of arguments: a form needs each by its name.")
    if name not in hints:
        raise BadJob(f"{name} has no type hint: write {name}: str, say.")
    return input_for(
        name, hints[name], NOTHING if parameter.default is parameter.empty else parameter.default
    )


def _run_for(asked: Asked) -> Callable[..., Any]:
    def run(self: BaseJob, **given: Any) -> Any:
        return asked.call(self, given)

    # The life cycle looks here for what to hand over.
    vars(run)["__signature__"] = inspect.Signature(_parameters([COMMIT, *asked.inputs]))
    return run


def _parameters(names: Iterable[str]) -> list[inspect.Parameter]:
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    return [first, *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names)]


def _validate(self: FunctionJob, data: dict[str, Any]) -> None:
    """Refuse what the variables take, and the function's hints do not."""
    self._asked.values(data)


def _camel_case(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
