"""What functions are called with."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jobs.errors import JobFailed
from jobs.schleuder.functions import MAKES_SOT


def taken_of(function: Callable[..., Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function takes of these keywords: all of them, or those that it names."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return dict(told)
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return dict(told)
    named = {each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY}
    return {name: value for name, value in told.items() if name in named}


def of_veritas() -> Callable[..., Any]:
    """Return what makes the source of truth where the veritas library is installed. Raises JobFailed."""
    try:
        library = importlib.import_module("veritas.sot.sot")
    except ImportError as error:
        raise JobFailed(
            "The arguments ask for the source of truth (`sot`), and nothing here makes it: register a function as "
            f'"{MAKES_SOT}" in a plugin, or install veritas (docs/jobschleuder.md).'
        ) from error

    def make(token: str = "", nautobot: str = "", ssl_verify: bool = False, **_: Any) -> Any:
        return library.Sot(token=token, url=nautobot, ssl_verify=ssl_verify, debug=False)

    return make
