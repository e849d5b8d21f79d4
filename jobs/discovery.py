"""Describes the jobs of all sources: a program of its own, `python -m jobs.discovery`.

It reads {"sources": [...], "plugins": [package, ...], "only": [[source, module], ...] or null} from stdin and writes one JSON
object a line to the file descriptor named by its argument: {"modules": [...]} first, then for each module
{"begin": ...} and {"end": ...}. Job files may print, exit, hang or crash: whoever started it sees how far it came.
"""

import contextlib
import faulthandler
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jobs.bennettbot.making import made_of
from jobs.describe import cut_texts, describe, template_name
from jobs.dialects import BOTS, dialect_of
from jobs.errors import BadJob
from jobs.form_template import read_template
from jobs.job import BaseJob
from jobs.leaves import is_leaf
from jobs.loading import (
    Module,
    Source,
    check_name,
    find_modules,
    grouping_of,
    install,
    installed,
    job_classes,
    load_module,
    loaded_siblings,
)
from jobs.schleuder.config import NAME
from jobs.schleuder.plugins import Plugins

MOST_MEMORY_BYTES = 4 * 1024**3
MOST_FILE_BYTES = 64 * 1024**2

Send = Callable[[dict[str, Any]], None]


def discover(sources: list[Source], plugins: list[str], only: list[list[str]] | None, send: Send) -> None:
    install(sources, plugins)
    modules: list[Module] = []
    clashes: list[tuple[Module, Module]] = []
    for source in sources:
        found, hidden = find_modules(source)
        modules += found
        clashes += hidden
    send({"modules": [[m.source, m.name, m.path] for m in modules]})
    if only is None:
        for first, second in clashes:
            send({"clash": _clash(first, second)})
        for source in sources:
            for problem in _of_configs(source):
                send({"clash": problem})
    for module in modules:
        if only is None or [module.source, module.name] in only:
            send({"begin": [module.source, module.name]})
            send({"end": [module.source, module.name], **_describe_module(module)})


def _describe_module(module: Module) -> dict[str, Any]:
    """Return the module's digest, what it imports beside it, its jobs and namespaces, and what is wrong with it."""
    report: dict[str, Any] = {
        **{"digest": module.digest, "siblings": {}, "jobs": [], "errors": [], "advice": []},
        "namespaces": [],
    }
    try:
        check_name(module)
        loaded = load_module(module)
    except BadJob as error:
        report["errors"].append(_error(str(error)))
        return report
    # A file may raise anything, SystemExit too.
    except BaseException as error:
        message = f"Unable to load module {module.name} from {module.path}: {_said(error)}{_needed(error)}"
        report["errors"].append(_error(message, _trace(error, module.path)))
        return report
    report["siblings"] = loaded_siblings(module)
    made = made_of(loaded)
    report |= {
        "namespaces": made.namespaces,
        "errors": [*map(_error, made.problems)],
        "advice": [*map(_error, made.advice)],
    }
    names: set[str] = set()
    for cls in job_classes(module, loaded):
        try:
            if dialect_of(cls) == BOTS and not is_leaf(cls, module.name, _folders(module)):
                continue  # A base for others.
            if cls.__name__ in names:
                raise BadJob("another class of the module has the same name.")
            names.add(cls.__name__)
            grouping = grouping_of(cls, module, loaded)
            report["jobs"].append(_describe_class(cls, module, grouping))
            report["advice"] += map(_error, [*cut_texts(cls, grouping), *cls._advice()])
        except Exception as error:
            message = f"{cls.__name__} in {module.path} cannot be a job: {_said(error)}"
            report["errors"].append(_error(message, "" if isinstance(error, BadJob) else _trace(error)))
    return report


def _describe_class(cls: type[BaseJob], module: Module, grouping: str) -> dict[str, Any]:
    described = describe(cls, grouping=grouping)
    facts = {**described, "class_path": f"{module.source}/{module.name}/{cls.__name__}"}
    return {**described, **read_template(module.path, template_name(cls), facts)}


def _clash(first: Module, second: Module) -> dict[str, Any]:
    message = f"{second.path} is left out: {first.path} has the same name."
    return {"source": second.source, "module": second.name, "path": second.path, **_error(message)}


def _of_configs(source: Source) -> Iterator[dict[str, Any]]:
    """Yield what is wrong with each jobschleuder.yaml of a source."""
    for folder in source.folders:
        plugins = Plugins(Path(folder), source.plugins_config)
        if plugins.problem:
            yield {"source": source.name, "module": NAME, "path": folder, **_error(plugins.problem)}


def _error(message: str, trace: str = "") -> dict[str, str]:
    return {"message": message, "traceback": trace}


def _said(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, SystemExit):
        return f"it calls exit({text})"
    return text if isinstance(error, BadJob) else f"{type(error).__name__}: {text}"


#: Names of modules, and of the packages that bring them.
_PACKAGES = {
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "dateutil": "python-dateutil",
    "dns": "dnspython",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "serial": "pyserial",
}


def _needed(error: BaseException) -> str:
    """Say what to install where a package is missing."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or name in sys.modules:
        return ""
    return f". Install it beside Errand (`pip install {_PACKAGES.get(name, name)}`), then refresh."


def _folders(module: Module) -> tuple[str, ...]:
    return next((source.folders for source in installed if source.name == module.source), ())


def _trace(error: BaseException, path: str = "") -> str:
    """Format the traceback from the author's file on: the import machinery above it tells nothing."""
    lines = traceback.TracebackException.from_exception(error, limit=-30)
    frames = list(lines.stack)
    starts = [number for number, frame in enumerate(frames) if frame.filename == path]
    if path:
        # A syntax error never gets into the file: its message alone says where it is.
        lines.stack = traceback.StackSummary.from_list(frames[starts[0] :] if starts else [])
    return "".join(lines.format())


def _limit() -> None:
    """Keep a file that eats memory or fills the disk from harming others."""
    for limit, most in (
        (resource.RLIMIT_AS, MOST_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, MOST_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    _limit()
    # Asked by whoever watches before this process is stopped: where does the file hang?
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    request = json.load(sys.stdin)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as out:

        def send(frame: dict[str, Any]) -> None:
            out.write(json.dumps(frame) + "\n")
            out.flush()

        sources = [Source.from_data(source) for source in request["sources"]]
        discover(sources, request["plugins"], request["only"], send)


if __name__ == "__main__":
    main()
