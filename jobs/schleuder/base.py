"""Jobs that are functions of a plugin: one for each name that it registers."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import jobs
from jobs.errors import BadJob
from jobs.schleuder.functions import MAKES_SOT, ON_STARTUP, registered_by
from jobs.schleuder.plugins import Home, Plugins


class SchleuderJob(jobs.Job):
    """A job in the manner of jobschleuder: a function that is called with keywords."""

    dialect: ClassVar[str] = "schleuder"
    _function: ClassVar[Callable[..., Any]]
    _home: ClassVar[Home]

    arguments = jobs.JSONVar(
        default={}, required=False, description="What the function is called with: a JSON object."
    )
    preprocessing = jobs.StringVar(
        max_length=50,
        default="",
        required=False,
        description="A function of a plugin that makes the list of runs of this one.",
    )
    postprocessing = jobs.StringVar(
        max_length=50,
        default="",
        required=False,
        description="A function of a plugin that is called when all has ended.",
    )

    arguments.mapping = True

    def after_all(self, outcomes: Any) -> None:
        """Stand for the function that is called when all runs have ended: see jobs.dialects.schleuder."""

    @classmethod
    def _check_as_job(cls) -> None:
        if "/" in cls.__name__ or not cls.__name__.strip():
            raise BadJob("What a function is registered as must be a name without slashes.")


def jobs_of_plugin(
    full_name: str, name: str, folders: tuple[str, ...], file: Path, given: str
) -> list[type[SchleuderJob]]:
    """Return the jobs of a loaded module.

    full_name: as it was imported; name: the same within its source. given: see Plugins.
    """
    functions = registered_by(full_name)
    if not functions:
        return []
    plugins = Plugins(_folder_of(folders, file), given)
    if name in plugins.without_jobs:
        return []
    home = Home(plugins, full_name.removesuffix(name), name)
    return [
        _job_class(full_name, registered, function, home)
        for registered, function in _jobs_among(functions)
        if not plugins.is_overridden(name, registered)
    ]


def _jobs_among(functions: Mapping[str, Callable[..., Any]]) -> Iterator[tuple[str, Callable[..., Any]]]:
    yield from (
        (name, function)
        for name, function in functions.items()
        if not name.endswith(ON_STARTUP) and name != MAKES_SOT
    )


def _folder_of(folders: tuple[str, ...], file: Path) -> Path:
    return next((Path(folder) for folder in folders if file.is_relative_to(folder)), file.parent)


def _job_class(module: str, name: str, function: Callable[..., Any], home: Home) -> type[SchleuderJob]:
    body = {
        "__doc__": function.__doc__,
        "__module__": module,
        "_function": staticmethod(function),
        "_home": home,
    }
    return type(name, (SchleuderJob,), body)
