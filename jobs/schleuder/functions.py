"""The functions that plugins register by name, as `veritas.plugin` has it."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

APP = "jobschleuder"

#: What the name of a function ends with that is called before the first run of a job.
ON_STARTUP = ":on_startup"

#: What makes the object that jobs ask for by `sot: true`.
MAKES_SOT = "sot:build"

#: What each module has registered: {module: {name: function}}.
_registered: dict[str, dict[str, Callable[..., Any]]] = {}


class Plugin:
    """All functions that are registered in this process, by app and name. There is one object of it."""

    _only: ClassVar["Plugin | None"] = None

    def __new__(cls) -> "Plugin":
        if cls._only is None:
            cls._only = super().__new__(cls)
            cls._only._apps = {}
        return cls._only

    _apps: dict[str, dict[str, Callable[..., Any]]]

    def add(self, app: str, name: str, method: Callable[..., Any]) -> None:
        """Register a function. A name that is known already is from now on this one's."""
        self._apps.setdefault(app, {})[name] = method
        if app == APP:
            _registered.setdefault(_caller(), {})[name] = method

    def get(self, app: str, name: str) -> Callable[..., Any] | None:
        return self._apps.get(app, {}).get(name)

    def get_registry(self, app: str) -> dict[str, Callable[..., Any]]:
        return self._apps.setdefault(app, {})

    def get_jobschleuder_plugin(self, name: str) -> Callable[..., Any] | None:
        return self.get(APP, name)


def jobschleuder(name: str) -> Callable[[F], F]:
    """Register a function under a name; it stays what it is."""

    def register(function: F) -> F:
        Plugin().add(APP, name, function)
        return function

    return register


def registered_by(module: str) -> Mapping[str, Callable[..., Any]]:
    """Return what a loaded module has registered, by name."""
    found = _registered.get(module)
    return found if found is not None else _of_veritas(module)


def forget_all() -> None:
    """Forget what was registered: job files are about to be loaded anew."""
    _registered.clear()
    Plugin().get_registry(APP).clear()


def _of_veritas(module: str) -> Mapping[str, Callable[..., Any]]:
    """Return the same where the veritas library is installed, and so is what plugins import."""
    theirs = getattr(sys.modules.get("veritas.plugin"), "Plugin", None)
    if theirs is None or theirs is Plugin:
        return {}
    known = theirs().get_registry(APP) or {}
    return {name: method for name, method in known.items() if getattr(method, "__module__", "") == module}


def _caller() -> str:
    """Return the module whose code registers something."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))
