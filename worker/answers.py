"""The child's part when it is asked instead of told to run: what the job's code answers, or why it does not."""

import traceback
from typing import Any, TypedDict

from jobs import computed
from jobs.data import restore
from jobs.errors import JobNotFound, SoftTimeLimitExceeded
from jobs.job import BaseJob, JobResultView
from jobs.loading import Source, load_class
from store.object_model import ValidationError
from store.objects import LookupFailed, ObjectLookup

#: The longest tail of a traceback that is worth keeping.
MOST_TRACE = 16_000


class Question(TypedDict):
    """What is asked of a job's code, as JSON."""

    class_path: str
    #: "choices", "default" or "description" of {"variable": name, "values": {...} or None}, or "validate" of
    #: {"data": {...}, "username": "..."}.
    question: str
    arguments: dict[str, Any]
    #: True: the inputs are nobody's business, so what is raised because of them is not told.
    discreet: bool
    seconds: float
    #: Megabytes.
    memory_limit: float
    data_url: str
    sources: list[dict[str, Any]]


class _CannotLoad(Exception):
    """The job's class cannot be had."""


def answer(question: Question, objects: ObjectLookup) -> Any:
    """Ask the job's code, and return its answer as JSON. Whatever it raises comes through."""
    cls = _load(question)
    arguments = question["arguments"]
    match question["question"]:
        case "choices":
            return computed.choices(cls, arguments["variable"], arguments.get("values"))
        case "default":
            return computed.default(cls, arguments["variable"], arguments.get("values"))
        case "description":
            return computed.description(cls, arguments["variable"], arguments.get("values"))
        case "validate":
            return _verdict(cls, arguments, objects)
    raise computed.NoAnswer("it was asked something that it does not understand")


def refusal(error: BaseException, question: Question) -> tuple[str, str]:
    """Return a clause that says why there is no answer, and the traceback."""
    match error:
        case computed.NoAnswer():
            clause = str(error)
        case JobNotFound():
            clause = str(error).rstrip(".!")
        case SoftTimeLimitExceeded():
            clause = f"the job's code took longer than {question['seconds']:.2g} seconds and was stopped"
        case MemoryError():
            clause = f"the job's code needs more than {question['memory_limit']:g} MB of memory"
        case SystemExit():
            clause = f"the job's code called exit({error.code!r})"
        case _CannotLoad():
            clause = f"the job's file cannot be loaded: {_said(error.__cause__ or error, discreet=False)}"
        case _:
            clause = f"the job's code raised {_said(error, discreet=question['discreet'])}"
    shown = error.__cause__ if isinstance(error, _CannotLoad) and error.__cause__ else error
    lines = (
        traceback.format_tb(shown.__traceback__)
        if question["discreet"]
        else traceback.format_exception(shown)
    )
    return clause, "".join(lines)[-MOST_TRACE:]


def _load(question: Question) -> type[BaseJob]:
    sources = [Source.from_data(source) for source in question["sources"]]
    try:
        return load_class(sources, question["class_path"])[0]
    except (JobNotFound, SoftTimeLimitExceeded, MemoryError):
        raise
    # A file may raise anything, SystemExit too.
    except BaseException as error:
        raise _CannotLoad from error


def _verdict(cls: type[BaseJob], arguments: dict[str, Any], objects: ObjectLookup) -> computed.Verdict:
    if not computed.has_validate(cls):
        return None  # It had one at the last refresh.
    descriptions = [variable.describe() for variable in cls._get_vars().values()]
    try:
        data = restore(descriptions, arguments["data"], objects)
    except LookupFailed as error:
        return [str(error)]
    job = cls()
    job.job_result = JobResultView(user=arguments["username"])
    try:
        return computed.verdict(job, data)
    except ValidationError as error:
        # Of an object that the job made to see whether it could be saved.
        return error.messages or [computed.REFUSED]


def _said(error: BaseException, *, discreet: bool) -> str:
    text = "" if discreet else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
