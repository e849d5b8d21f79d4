"""A job class as plain data: what the web, the API and the job record know of it."""

import inspect
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from jobs import showing
from jobs.computed import has_validate, takes_values
from jobs.dialects import HOOKS, OTHERS, Dialect, dialect_of
from jobs.errors import BadJob
from jobs.fieldsets import grouped
from jobs.functions import FunctionJob
from jobs.job import BaseJob, Job
from jobs.kinds import KINDS, rules_of_its_own
from jobs.planning import has_plan
from jobs.presets import checked_presets
from jobs.slack_commands import checked_report, commands_of
from jobs.variables import DryRunVar, Variable

LONGEST_NAME = 100
LONGEST_GROUPING = 255

#: Facts of a class and the types they may have.
_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "description": (str,),
    "commit_default": (bool,),
    "read_only": (bool,),
    "hidden": (bool,),
    "approval_required": (bool,),
    "approval_expires": (int, float),
    "restricted": (bool,),
    "has_sensitive_variables": (bool,),
    "soft_time_limit": (int, float),
    "time_limit": (int, float),
    "memory_limit": (int, float),
    "keep_days": (int,),
    "keep_failed_days": (int,),
    "fresh_process": (bool,),
    "idempotent": (bool,),
    "max_retries": (int,),
    "retry_delay": (int, float),
    "concurrency_limit": (int,),
    "concurrency_key": (list, tuple),
    "concurrency_policy": (str,),
    "dedupe": (bool,),
    "delay": (int, float),
    "rate_limit": (str,),
    "priority": (str,),
    "expires": (int, float),
    "field_order": (list, tuple),
    "task_queues": (list, tuple),
    "fieldsets": (list, tuple),
    "presets": (dict,),
    "is_singleton": (bool,),
    "dryrun_default": (bool,),
    "console_log_default": (bool,),
    "template_name": (str,),
    "slack": (str, dict, list, tuple),
    "slack_report": (dict,),
}

#: A hundred years: as good as for good.
MOST_KEEP_DAYS = 36_500

#: What `Meta` may say.
FACTS = tuple(_TYPES)

#: Facts that are one of a few words.
_WORDS = {"concurrency_policy": ("wait", "skip", "replace"), "priority": ("high", "normal", "low")}

#: What `is_singleton` means: a run that would start beside another one fails.
_SINGLETON = {"concurrency_limit": 1, "concurrency_key": [], "concurrency_policy": "singleton"}

#: "10/m": at most so many starts in a second, minute, hour or day.
RATE = re.compile(r"[1-9][0-9]{0,6}/[smhd]")

#: Names that a run itself uses: a variable of that name would be lost, or would break it.
_NOT_FOR_VARIABLES = frozenset(
    {"run", "post_run", "test_methods", "read_only", "failed", "active_test", "job_result", "logger"}
    | {"log", "log_debug", "log_info", "log_success", "log_warning", "log_failure"}
)

#: Others that only runs of the second dialect use.
_NOT_IN_DIALECT_2 = frozenset({*HOOKS, "fail"})


def describe(cls: type[BaseJob], *, grouping: str) -> dict[str, Any]:
    """Return what is known of `cls` as JSON-able data. BadJob, with a sentence, where the class cannot be a job."""
    _check_function(cls)
    cls._check_as_job()
    facts = {name: _fact(cls, name, types) for name, types in _TYPES.items()}
    dialect = dialect_of(cls)
    if dialect in ("2", *OTHERS):
        # Nobody is asked: such a job has an input of its own for dry runs, or none.
        facts["commit_default"] = True
    if facts["is_singleton"]:
        facts |= _SINGLETON
    if len(cls.__name__) > LONGEST_NAME:
        raise BadJob(f"The class name is longer than {LONGEST_NAME} characters.")
    described = [
        _variable(cls, variable, dialect, dryrun_default=facts["dryrun_default"])
        for variable in cls._get_vars().values()
    ]
    variables = grouped(described, facts["fieldsets"])
    showing.check(variables)
    return {
        "class_name": cls.__name__,
        "name": facts["name"].strip()[:LONGEST_NAME] or cls.__name__,
        "grouping": grouping.strip()[:LONGEST_GROUPING],
        "description": _description(cls, facts["description"]),
        "dialect": dialect,
        "receives": cls._receives,
        "withdrawn": cls._is_withdrawn(),
        "commit_default": facts["commit_default"] and not facts["read_only"],
        "read_only": facts["read_only"],
        "hidden": facts["hidden"],
        "approval_required": facts["approval_required"],
        "approval_expires": float(facts["approval_expires"]),
        "restricted": facts["restricted"],
        "has_sensitive_variables": facts["has_sensitive_variables"],
        "soft_time_limit": float(facts["soft_time_limit"]),
        "time_limit": float(facts["time_limit"]),
        "memory_limit": float(facts["memory_limit"]),
        "keep_days": min(facts["keep_days"], MOST_KEEP_DAYS),
        "keep_failed_days": min(facts["keep_failed_days"], MOST_KEEP_DAYS),
        "fresh_process": facts["fresh_process"],
        "idempotent": facts["idempotent"],
        "max_retries": facts["max_retries"],
        "retry_delay": float(facts["retry_delay"]),
        "concurrency_limit": facts["concurrency_limit"],
        "concurrency_key": _variable_names(cls, facts["concurrency_key"]),
        "concurrency_policy": facts["concurrency_policy"],
        "dedupe": facts["dedupe"],
        "delay": float(facts["delay"]),
        "rate_limit": _rate(facts["rate_limit"]),
        "priority": facts["priority"],
        "expires": float(facts["expires"]),
        "queues": [str(name) for name in facts["task_queues"]],
        "has_validate": has_validate(cls),
        "has_plan": has_plan(cls),
        "slack_commands": commands_of(cls.__name__, described, facts["slack"]),
        "slack_report": checked_report(facts["slack_report"]),
        "variables": variables,
        "presets": checked_presets(variables, facts["presets"]),
    }


def template_name(cls: type[BaseJob]) -> str:
    """Return the form template a described class names; "" for none."""
    name: str = _fact(cls, "template_name", (str,))
    return name


def _check_function(cls: type[BaseJob]) -> None:
    """Raise BadJob where a function cannot be a job as it is written."""
    if not issubclass(cls, FunctionJob):
        return
    if cls._asked.problem:
        raise BadJob(cls._asked.problem)
    for name in cls._asked.facts:
        if name not in _TYPES:
            raise BadJob(f"@job knows no {name}. There are: {', '.join(_TYPES)}.")


def cut_texts(cls: type[BaseJob], grouping: str) -> list[str]:
    """Return a sentence about each text of a described class that was too long and is cut."""
    texts = {
        "name": (_fact(cls, "name", (str,)), LONGEST_NAME),
        "grouping": (grouping, LONGEST_GROUPING),
    }
    return [
        f"The {what} of {cls.__name__} was cut: it is longer than {longest} characters."
        for what, (text, longest) in texts.items()
        if len(text.strip()) > longest
    ]


def _fact(cls: type[BaseJob], name: str, types: tuple[type, ...]) -> Any:
    value = getattr(cls, name)
    if isinstance(value, Variable):
        # A variable called `name` or `description` hides the fact of that name, not what Meta says.
        default = cls.__name__ if name == "name" else getattr(BaseJob, name)
        value = getattr(getattr(cls, "Meta", None), name, default)
    # True is an int to Python, but not to an author.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        expected = " or ".join(kind.__name__ for kind in types)
        raise BadJob(f"{name} must be {expected}, not {type(value).__name__}.")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise BadJob(f"{name} must be a number that is not negative, not {value}.")
    if name in _WORDS and value not in _WORDS[name]:
        raise BadJob(f'{name} is "{value}"; choose from: {", ".join(_WORDS[name])}.')
    return value


def _variable_names(cls: type[BaseJob], names: Any) -> list[str]:
    known = cls._get_vars()
    for name in names:
        if name not in known:
            raise BadJob(f"concurrency_key names {name!r}, which is no variable of the job.")
    return [str(name) for name in names]


def _rate(text: str) -> str:
    if text and not RATE.fullmatch(text):
        raise BadJob(f'rate_limit is "{text}"; write it like "10/m", with s, m, h or d.')
    return text


def _description(cls: type[BaseJob], given: str) -> str:
    """Fall back to the docstring: it is written for the job's users."""
    own_docstring = cls.__doc__ if cls.__doc__ not in (BaseJob.__doc__, Job.__doc__) else ""
    return inspect.cleandoc(given or own_docstring or "").strip()


def _variable(
    cls: type[BaseJob], variable: Variable, dialect: Dialect, *, dryrun_default: bool
) -> dict[str, Any]:
    # In some dialects they are no attributes of the class.
    own_name = variable.name in _NOT_FOR_VARIABLES and isinstance(getattr(cls, variable.name, None), Variable)
    if own_name or (dialect == "2" and variable.name in _NOT_IN_DIALECT_2):
        raise BadJob(f"A variable cannot be called {variable.name}: a job uses that name itself.")
    if variable.name.startswith("_"):
        raise BadJob(
            f"A variable cannot be called {variable.name}: names that begin with _ are Errand's own."
        )
    if len(variable.name) > LONGEST_NAME:
        raise BadJob(f"The name of {variable.name[:40]}… is longer than {LONGEST_NAME} characters.")
    _check_kind(variable)
    for option, kind in (("label", str), ("description", str), ("required", bool)):
        if option not in variable.computed and not isinstance(getattr(variable, option), kind):
            raise BadJob(f"{option} of {variable.name} must be {kind.__name__}.")
    choices = getattr(variable, "choices", None)
    if isinstance(choices, str) and not callable(getattr(cls, choices, None)):
        raise BadJob(f"choices of {variable.name} names {choices!r}, which is no method of the job.")
    variable.check()
    _check_dependence(cls, variable)
    description = variable.describe()
    if isinstance(variable, DryRunVar) and description["default"] is None:
        description["default"] = dryrun_default
    try:
        json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadJob(f"The options of {variable.name} must be plain values: {error}.") from error
    return description


def _check_kind(variable: Variable) -> None:
    kind = type(variable)
    if kind.type_name() not in KINDS:
        raise BadJob(f"{variable.name} is a {kind.__name__}, a kind of variable that is not known.")
    if own := rules_of_its_own(kind):
        raise BadJob(
            f"{variable.name} is a {kind.__name__}, whose {' and '.join(own)} are not those of {kind.type_name()}: only a "
            "plugin can bring rules for values (see docs/plugins.md). Let the job's `validate` see to them instead."
        )


def _check_dependence(cls: type[BaseJob], variable: Variable) -> None:
    """See that what is computed from other inputs says from which: nothing is asked in vain."""
    if variable.shown_if is not None and not isinstance(variable.shown_if, Mapping):
        raise BadJob(f"shown_if of {variable.name} must be a mapping of variables to values.")
    if variable.depends_on and not variable.computed:
        raise BadJob(
            f"depends_on of {variable.name} says what its code reads, but nothing of it is computed."
        )
    for option in variable.computed:
        if not variable.depends_on and takes_values(cls, getattr(variable, option)):
            raise BadJob(
                f"{option} of {variable.name} takes values: depends_on must name the variables they are of."
            )
