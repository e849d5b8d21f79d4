"""The way of a job of jobschleuder: a function that gets keywords, and others before and after it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from jobs.errors import JobFailed, described
from jobs.fan_out import Outcomes
from jobs.lifecycle import Life
from jobs.schleuder.base import SchleuderJob
from jobs.schleuder.calling import of_veritas, taken_of
from jobs.schleuder.functions import MAKES_SOT, ON_STARTUP

#: The argument that asks for the source of truth.
SOT = "sot"

#: What functions have returned that are called at the start: each is called once in a process.
_started: dict[Callable[..., Any], dict[str, Any]] = {}

#: A run that is asked for: the name of its job, and its arguments.
Run = tuple[str, dict[str, Any]]


class SchleuderLife(Life):
    """Its changes are saved at the end; an exception rolls them back. There is no commit flag in this dialect."""

    job: SchleuderJob

    def live(self) -> None:
        with self._in_project():
            if self.data["preprocessing"]:
                self._attempt(self._ask_for_runs)
            else:
                self._attempt(self._call)
                self._attempt(self._say_what_came_of_it)

    def gather(self, method: str, outcomes: Outcomes) -> None:
        """Call what comes after all, and fail where one of the runs did not complete."""
        # A page of outcomes is there at a time, however many there are.
        if bad := sum(not each.ok for each in outcomes):
            self.failure = f"{bad:,} of {len(outcomes):,} runs did not complete."
        with self._in_project():
            self._attempt(lambda: self._say_what_came_of_it(outcomes))

    @contextlib.contextmanager
    def _in_project(self) -> Iterator[None]:
        """Run where its plugins' files are; what breaks past all care is not saved."""
        try:
            with contextlib.chdir(self.job._home.plugins.project):
                yield
        except BaseException:
            # A time limit or exit(): nothing of the job is asked any more.
            self.roll_back()
            raise

    def _attempt(self, step: Callable[[], Any]) -> None:
        """Do one step, and save what it has changed."""
        try:
            step()
            if self.commit:
                self.commit_changes()
            else:
                self.roll_back()
        except Exception as error:
            self.note(error)
            self.roll_back()

    # The job itself

    def _call(self) -> None:
        self.job.active_test = "run"
        keywords = self._with_sot({**self._arguments(), **self._started()})
        with self.around("run"):
            returned = type(self.job)._function(**keywords)
        self.return_value = self.take(returned)

    def _arguments(self) -> dict[str, Any]:
        return dict(self.data["arguments"] or {})

    def _started(self) -> dict[str, Any]:
        """Return what the job's function for the start has returned; it is called by the first run of a process."""
        name = type(self.job).__name__ + ON_STARTUP
        function = self._function(name)
        if function is None:
            return {}
        if function not in _started:
            values = function()
            if values is not None and not isinstance(values, Mapping):
                raise JobFailed(f"{name} must return a dictionary, not {type(values).__name__}.")
            _started[function] = dict(values or {})
        return _started[function]

    def _with_sot(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Return the keywords with the source of truth where they ask for it."""
        if keywords.get(SOT) is not True:
            return keywords
        config = self.job._home.plugins.config
        make = self._function(MAKES_SOT) or of_veritas()
        return {**keywords, SOT: make(**(config.sot if config else {}))}

    # What comes before

    def _ask_for_runs(self) -> None:
        name = self.data["preprocessing"]
        runs = list(_checked(name, self._command(name)(**self._with_sot(self._arguments()))))
        if not runs:
            self.job.log_info(message="got an empty list of jobs")
            return
        paths = {command: self._path(command) for command in dict.fromkeys(command for command, _ in runs)}
        for command, asked in groupby(runs, lambda run: run[0]):
            self.job.map(paths[command], [{"arguments": arguments} for _, arguments in asked])
        self.job.gather("after_all" if self.data["postprocessing"] else "")

    def _path(self, command: str) -> str:
        """Return the class path of a job; where there is none, one that its run will say so of."""
        self._function(command, everywhere=True)
        home, source = self.job._home, type(self.job).class_path.partition("/")[0]
        module = home.module_of(command)
        if not module:
            self.job._log("error", None, f"No plugin has a job called {command}.")
        return f"{source}/{module or home.module}/{command}"

    # What comes after

    def _say_what_came_of_it(self, outcomes: Iterable[Any] = ()) -> None:
        name = self.data["postprocessing"]
        if not name:
            return
        status, cause = self._verdict()
        told = {
            "result": self.return_value,
            "arguments": self._arguments(),
            "outcomes": outcomes,
            "status": status,
            "cause": cause,
        }
        function = self._command(name)
        function(**taken_of(function, told))

    def _command(self, name: str) -> Callable[..., Any]:
        """Return what is to be called before or after, under whose name entries stand from now on."""
        function = self._function(name, everywhere=True)
        if function is None:
            raise JobFailed(f"could not call plugin command {name}: no plugin registers it.")
        self.job.active_test = name
        return function

    def _function(self, name: str, *, everywhere: bool = False) -> Callable[..., Any] | None:
        return self.job._home.function(name, self._say_broken, everywhere=everywhere)

    def _say_broken(self, module: str, error: BaseException) -> None:
        self.job._log("critical", None, f"The plugin {module} cannot be loaded: {described(error)}")


def _checked(name: str, returned: Any) -> Iterator[Run]:
    """Yield the runs that a function asks for. Raises JobFailed where it returned something else."""
    if not isinstance(returned, list | tuple):
        raise JobFailed(f"{name} must return a list of jobs, not {type(returned).__name__}.")
    for number, item in enumerate(returned, 1):
        command = item.get("cmd") if isinstance(item, Mapping) else None
        arguments = (item.get("args") or {}) if isinstance(item, Mapping) else None
        if not isinstance(command, str) or not isinstance(arguments, Mapping):
            raise JobFailed(
                f'Job {number} of the list that {name} returned is not {{"cmd": name, "args": {{...}}}}.'
            )
        yield command, dict(arguments)
