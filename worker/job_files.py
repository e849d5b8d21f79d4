"""Job files in a process that tests jobs: found by class path or by file, and loaded anew after an edit."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.errors import JobNotFound
from jobs.job import BaseJob
from jobs.loading import (
    Source,
    find_modules,
    install,
    is_stale,
    job_classes,
    load_class,
    load_module,
    uninstall,
)
from store.plugins import find_plugins
from store.settings import jobs_roots
from worker.throwaway_data import plugin_packages

#: Between the path of a job file and the name of its class, as pytest names tests.
BETWEEN = "::"

Folders = Sequence[str | Path]

#: The folders of the block of `jobs_in` that is open, and what is installed.
_in_use: tuple[str, ...] = ()
_installed: tuple[Source, ...] = ()


class FolderJobs(Mapping[str, type[BaseJob]]):
    """The jobs of some folders: `jobs["local/hello/Hello"]`, or `jobs.Hello`."""

    def __init__(self, classes: Sequence[type[BaseJob]]) -> None:
        self._classes = {cls.class_path: cls for cls in classes}

    def __getitem__(self, class_path: str) -> type[BaseJob]:
        return self._classes[class_path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def __getattr__(self, name: str) -> type[BaseJob]:
        found = [cls for cls in self._classes.values() if cls.__name__ == name]
        if len(found) != 1:
            known = ", ".join(self._classes) or "none"
            raise AttributeError(
                f"There is {'no job' if not found else 'more than one job'} {name} in: {known}"
            )
        return found[0]


def find_job(job: Any, folders: Folders = ()) -> type[BaseJob]:
    """Return the class of a job: itself, a function made a job, a class path, or "jobs/hello.py::Hello".

    folders: where class paths are looked up; by default in those of `jobs_in`, else in $JOBS_ROOT.
    Raises JobNotFound. What a job file raises comes through.
    """
    cls = getattr(job, "job_class", job)
    if isinstance(cls, type) and issubclass(cls, BaseJob):
        return cls
    if not isinstance(job, str):
        raise TypeError(
            f'Give a job class, a class path such as "local/hello/Hello", or a file: not {job!r}.'
        )
    path, between, name = job.partition(BETWEEN)
    return _in_file(Path(path), name) if between else _by_class_path(job, folders)


def loaded_jobs(folders: Folders = ()) -> list[type[BaseJob]]:
    """Return the jobs of the folders, and of the plugins that are loaded."""
    sources = _sources(folders)
    _make_importable(sources)
    return [cls for source in sources for cls in _classes(source)]


@contextmanager
def jobs_in(*folders: str | Path) -> Iterator[FolderJobs]:
    """Load the job files of these folders, else of $JOBS_ROOT, and look class paths up there within the block."""
    global _in_use
    before, _in_use = _in_use, _existing(folders or jobs_roots(os.environ, {}))
    try:
        source = Source("local", _in_use)
        _make_importable((source,))
        yield FolderJobs(_classes(source))
    finally:
        _in_use = before
        _forget()


def _in_file(path: Path, name: str) -> type[BaseJob]:
    if not path.is_file():
        raise JobNotFound(f"There is no job file {path}.")
    module = path.absolute().parent if path.name == "__init__.py" else path.absolute()
    return _by_class_path(f"local/{module.stem}/{name}", [module.parent])


def _by_class_path(class_path: str, folders: Folders) -> type[BaseJob]:
    sources = _sources(folders, class_path.partition("/")[0])
    _make_importable(sources)
    return load_class(sources, class_path)[0]


def _sources(folders: Folders, name: str = "local") -> tuple[Source, ...]:
    own = name if name != "plugins" else "local"
    found = folders or _in_use or jobs_roots(os.environ, {})
    modules = _modules_with_jobs(tuple(plugin_packages()))
    return (Source(own, _existing(found)), Source("plugins", modules=modules))


# A look through all installed packages for plugins takes milliseconds, and always finds the same.
@functools.cache
def _modules_with_jobs(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(module for plugin in find_plugins(names) for module in plugin.jobs)


def _existing(folders: Folders) -> tuple[str, ...]:
    for folder in folders:
        if not Path(folder).is_dir():
            raise JobNotFound(f"There is no folder {folder} to look for jobs in.")
    return tuple(str(Path(folder).absolute()) for folder in folders)


def _make_importable(sources: tuple[Source, ...]) -> None:
    global _installed
    if sources != _installed or is_stale():
        _forget()
        install(sources, plugin_packages())
        _installed = sources


def _forget() -> None:
    global _installed
    uninstall()
    _installed = ()


def _classes(source: Source) -> list[type[BaseJob]]:
    modules, _ = find_modules(source)
    return [cls for module in modules for cls in job_classes(module, load_module(module))]
