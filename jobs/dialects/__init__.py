"""The ways of writing a job, and which of them a class speaks.

    classic   run(data, commit) or run(host, ...), then test_*, then post_run; changes follow the commit flag.
              Ours, and Nautobot's until 1.6.
    bots      run(*arguments), whose return value is a report. That of Bots Scheduler and ndscheduler.
    shell, bennettbot   A command, and no run.
    schleuder A function that is called with keywords, and others before and after it. That of jobschleuder.
    2         before_start, run(**inputs), on_success or on_failure, after_return. Nautobot's since 2.0.

A base class says by its attribute `dialect` what its subclasses may speak; the nearest one counts. What they speak is
decided by the first line that fits:

    the class                                                  "errand"   "nautobot"   "2"
    `run` asks for `data` and `commit`, both no variables      classic    classic      classic
    ... for nothing but one of them                            classic    classic      2
    it has a hook: before_start, on_success, on_failure,
        after_return or on_retry, which takes what hooks get   2          2            2
    it has a `test_*` or `post_run` that takes nothing         classic    classic      2
    its methods call `self.log_info`, log_success and the like classic    classic      2
    it has a `run`                                             classic    2            2
    anything else                                              classic    classic      2

"errand" is our own Job, "nautobot" the one of `nautobot.extras.jobs`, whose name outlived the change, and "2" that of
`nautobot.apps.jobs`. The base class of any other dialect, also one that a plugin brings, has the name of that, and
nothing else counts.
What stands in a class that carries the attribute itself is its base's, not the author's.
"""

import inspect
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

#: "classic", "2", one of OTHERS, or what a plugin calls its own.
Dialect = str

BOTS = "bots"

SCHLEUDER = "schleuder"

#: Jobs that are commands; of the latter each is told of in a file of bennettbot's.
SHELL, BENNETTBOT = "shell", "bennettbot"

#: The dialects that a class speaks because its base does, however it is written.
OTHERS = (BOTS, SCHLEUDER, SHELL, BENNETTBOT)

#: The dialects that plugins bring (see jobs.dialects.running.register_dialect).
brought: set[str] = set()

#: What a class of the second dialect may define, and how many arguments each gets.
HOOKS = {"before_start": 3, "on_success": 4, "on_failure": 5, "after_return": 6, "on_retry": 5}

#: Methods that jobs of Nautobot log by until 1.6; later they have only their logger, which has a `log`, too.
_LOG_METHODS = frozenset({"log_debug", "log_info", "log_success", "log_warning", "log_failure"})


def dialect_of(cls: type) -> Dialect:
    """Tell which dialect a job class speaks. The class alone decides, nothing is called."""
    mark = _mark(cls)
    if mark in OTHERS or mark in brought:
        return mark
    own = _own_names(cls)
    asked = _parameters(own.get("run"))
    if asked == {"data", "commit"} and not asked & _variables(cls):
        return "classic"
    if mark == "2":
        return "2"
    if asked and asked <= {"data", "commit"}:
        return "classic"
    if any(_takes(own.get(name), count) for name, count in HOOKS.items()):
        return "2"
    if any(_is_check(name, value) for name, value in own.items()) or _logs_as_before(own):
        return "classic"
    return "2" if mark == "nautobot" and callable(own.get("run")) else "classic"


def is_ours(cls: type) -> bool:
    """Tell whether a class is made of our own Job, not of the one that Nautobot or a plugin brings."""
    return _mark(cls) == "errand"


def _mark(cls: type) -> str:
    # A variable may have this name, too.
    marks = (vars(owner).get("dialect") for owner in cls.__mro__)
    return next((mark for mark in marks if isinstance(mark, str)), "errand")


def _own_names(cls: type) -> dict[str, Any]:
    """Return what the author defined, here or in bases of their own."""
    found: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        if owner.__module__ not in ("builtins", "jobs.job") and not isinstance(
            vars(owner).get("dialect"), str
        ):
            found.update(vars(owner))
    return found


def _variables(cls: type) -> set[str]:
    return set(getattr(cls, "_get_vars", dict)())


def _parameters(method: Any) -> set[str]:
    """Return the names that a method asks for; none where it takes whatever it is given."""
    if not inspect.isfunction(method):
        return set()
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}


def _takes(method: Any, count: int) -> bool:
    """Tell whether this is a method that can be called with so many arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*[None] * (count + 1))
    except (TypeError, ValueError):
        return False
    return True


def _is_check(name: str, value: Any) -> bool:
    return (name == "post_run" or name.startswith("test_")) and _takes(value, 0)


def _logs_as_before(own: Mapping[str, Any]) -> bool:
    # Not those that the author has written for themselves.
    inherited = _LOG_METHODS - own.keys()
    codes = (value.__code__ for value in own.values() if inspect.isfunction(value))
    return any(name in inherited for code in codes for name in _names(code))


def _names(code: CodeType) -> Iterator[str]:
    """Yield the attributes that code uses, and those of the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
