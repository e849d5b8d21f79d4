"""Loads job files: fresh from their source, under names that collide with nothing.

A file `hello.py` of the source `local` becomes the module `errand_jobs.local.hello`; its siblings
may also import it as `hello`. Only processes that may run job code ever load anything; others look for files.
"""

import contextlib
import hashlib
import importlib
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs.bennettbot.literal import FILE
from jobs.bennettbot.making import fill, written_jobs
from jobs.dialects import brought
from jobs.errors import BadJob, JobNotFound
from jobs.functions import job_of
from jobs.job import BaseJob, Job
from jobs.registration import registered
from jobs.schleuder.base import jobs_of_plugin
from jobs.schleuder.functions import forget_all
from jobs.schleuder.plugins import Plugins, project_of_plugin
from jobs.shims.finder import install_shims
from jobs.siblings import siblings_of
from jobs.variables import Variable

PACKAGE = "errand_jobs"

LONGEST_NAME = 100

#: What files of commands end with (see jobs.shell.yaml_table).
TABLES = (".yaml", ".yml")

#: More of them is not read to see whether they are such.
MOST_TABLE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Source:
    """Where jobs come from: folders of job files, or modules of installed plugins."""

    #: "local", "plugins", "git.<name>": the first part of the class path.
    name: str
    folders: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    #: The digest of the snapshot that `folders` were unpacked from; None: they are the author's own.
    snapshot: str | None = None
    #: The git commit that snapshot is of; "": of none.
    commit: str = ""
    #: The jobschleuder.yaml for folders that have none in or above them; "": there is none.
    plugins_config: str = ""

    def as_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "folders": list(self.folders),
            "modules": list(self.modules),
            "snapshot": self.snapshot,
            "commit": self.commit,
            "plugins_config": self.plugins_config,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Source":
        return cls(
            data["name"],
            tuple(data["folders"]),
            tuple(data["modules"]),
            data.get("snapshot"),
            data.get("commit", ""),
            data.get("plugins_config", ""),
        )


@dataclass(frozen=True, slots=True)
class Module:
    """One job file that was found but not yet loaded."""

    source: str
    #: As in the class path.
    name: str
    #: The name to import.
    full_name: str
    path: str

    @property
    def digest(self) -> str:
        """SHA-256 of the source, or "" where there is none to read."""
        return _digest_of(self.path)


#: What this process has loaded of job code: {module: (path, SHA-256 of the source that was compiled)}.
_loaded: dict[str, tuple[str, str]] = {}


def loaded_digest(module: Module) -> str:
    """Return the digest of the code that `load_module` loaded, whatever the file says by now."""
    return _loaded.get(module.full_name, ("", ""))[1]


def loaded_siblings(module: Module) -> dict[str, str]:
    """Return {module: digest} of the other files of its folder that a loaded module imports (see jobs.siblings)."""
    if module.full_name not in _loaded or not module.full_name.startswith(f"{PACKAGE}."):
        return {}
    return siblings_of(f"{PACKAGE}.{module.source}", module.full_name, _loaded)


def is_stale() -> bool:
    """Tell whether a file of the job code in this process has changed since it was loaded, or is gone."""
    return any(_digest_of(path) != digest for path, digest in _loaded.values())


def _digest_of(path: str) -> str:
    with contextlib.suppress(OSError):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return ""


#: The sources whose job files can be imported in this process.
installed: list[Source] = []


def install(sources: Iterable[Source], plugins: Sequence[str] | None = None) -> None:
    """Make the job files of `sources` importable in this process, and the names that they import.

    plugins: the plugin packages whose models, variables and dialects they may use; None where these are known already.
    Raises store.plugins.PluginError.
    """
    installed[:] = sources
    _install_folders(installed)
    # At the very end: an author's own file of that name wins, too.
    install_shims(plugins)


def _install_folders(sources: Iterable[Source]) -> None:
    root = _package(PACKAGE, [])
    for source in sources:
        if source.folders:
            name = f"{PACKAGE}.{source.name}"
            setattr(root, source.name, _package(name, list(source.folders)))
            # At the front for our own names, which nobody else can serve...
            sys.meta_path.insert(0, _JobFiles())
            # ...and at the end for the siblings' short names: an installed package always wins.
            sys.meta_path.append(_Siblings(name, source))


def uninstall() -> None:
    """Forget all job files: for a process that goes on with others, or with the same after an edit."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _JobFiles | _Siblings)]
    for name, module in list(sys.modules.items()):
        # Siblings are there under their short names, too.
        if f"{getattr(module, '__name__', '')}.".startswith(f"{PACKAGE}."):
            del sys.modules[name]
    forget_all()
    for name in [name for name in _loaded if name.startswith(f"{PACKAGE}.")]:
        del _loaded[name]


def find_modules(source: Source) -> tuple[list[Module], list[tuple[Module, Module]]]:
    """Return the source's modules by name, and the pairs of which the second is hidden by the first."""
    found: dict[str, Module] = {}
    clashes: list[tuple[Module, Module]] = []
    for module in [*_in_folders(source), *_installed(source)]:
        if module.name in found:
            clashes.append((found[module.name], module))
        else:
            found[module.name] = module
    return sorted(found.values(), key=lambda module: module.name), clashes


def load_module(module: Module) -> ModuleType:
    """Import the module. Whatever its code raises comes through."""
    known = set(sys.modules)
    with _in_its_project(module):
        loaded = importlib.import_module(module.full_name)
    if not module.full_name.startswith(f"{PACKAGE}."):
        _note_package(module.full_name.partition(".")[0], known)
    return loaded


def _in_its_project(module: Module) -> AbstractContextManager[None]:
    """Return what surrounds the import of a module: plugins of jobschleuder read files of their project."""
    project = project_of_plugin(Path(module.path))
    return contextlib.chdir(project) if project is not None else contextlib.nullcontext()


def _note_package(package: str, known: set[str]) -> None:
    """Note what a plugin's jobs brought along of their own package, beyond what was there before."""
    for name in set(sys.modules) - known:
        path = getattr(sys.modules[name], "__file__", None)
        if path and (name == package or name.startswith(f"{package}.")):
            _loaded[name] = (path, _digest_of(path))


def job_classes(module: Module, loaded: ModuleType) -> list[type[BaseJob]]:
    """Return the job classes of a loaded module, by name.

    What the module has registered decides, or its `jobs` list (Nautobot's job files have the one or the other);
    otherwise every subclass of Job and every function with `@job` counts, but for those that a sibling defines.
    """
    classes: list[type[BaseJob]]
    listed = registered(module.full_name) or getattr(loaded, "jobs", None)
    if isinstance(listed, list | tuple):
        classes = [cls for cls in map(job_of, listed) if _is_job(cls)]
    else:
        found = [job_of(value) for _, value in inspect.getmembers(loaded)]
        classes = [cls for cls in found if _is_job(cls) and _belongs(cls, module)]
    classes += _of_plugin(module)
    for cls in classes:
        _tell_where(cls, module, loaded)
    return sorted(set(classes), key=lambda cls: cls.__name__)


def _of_plugin(module: Module) -> list[type[BaseJob]]:
    source = next((each for each in installed if each.name == module.source), Source(module.source))
    return [
        *jobs_of_plugin(
            module.full_name, module.name, source.folders, Path(module.path), source.plugins_config
        )
    ]


def _tell_where(cls: type[BaseJob], module: Module, loaded: ModuleType) -> None:
    """Tell a class where it comes from, but for what the author uses as the name of a variable."""
    facts = {
        "class_path": f"{module.source}/{module.name}/{cls.__name__}",
        "file_path": module.path,
        "grouping": grouping_of(cls, module, loaded),
    }
    for name, value in facts.items():
        if not isinstance(getattr(cls, name, None), Variable):
            setattr(cls, name, value)


def grouping_of(cls: type[BaseJob], module: Module, loaded: ModuleType) -> str:
    """Return the group of a job: its own, or what the module calls itself in its `name`, by default its file's name."""
    if cls._group:
        return cls._group
    name = getattr(loaded, "name", None)
    return name if isinstance(name, str) and name.strip() else module.name


def load_class(sources: Sequence[Source], class_path: str) -> tuple[type[BaseJob], Module]:
    """Import one job class. JobNotFound when there is none; whatever its module raises comes through."""
    source_name, _, rest = class_path.partition("/")
    module_name, _, class_name = rest.rpartition("/")
    for source in sources:
        if source.name != source_name:
            continue
        module = find_module(source, module_name)
        if module is not None:
            for cls in job_classes(module, load_module(module)):
                if cls.__name__ == class_name:
                    return cls, module
            raise JobNotFound(f"{module.path} has no job {class_name} any more.")
    # Nothing else would tell so of a worker that was there before the plugin.
    late = " Was this worker started before the plugin was installed?" if source_name == "plugins" else ""
    raise JobNotFound(f"Unable to locate job {class_path} to run it!{late}")


def find_module(source: Source, name: str) -> Module | None:
    """Return the module that `find_modules` would list under this name, without looking at all the others."""
    parts = name.split(".")
    for folder in source.folders if all(map(str.isidentifier, parts)) else ():
        place = Path(folder, *parts)
        for path in (place, *(place.with_name(parts[-1] + ending) for ending in (".py", *TABLES))):
            if _module_name(path) == parts[-1] and path.exists():
                return _in_folder(source, name, path)
    return next((module for module in _installed(source) if module.name == name), None)


def check_name(module: Module) -> None:
    """Raise BadJob where a file's name cannot be a module's."""
    for part in module.name.split("."):
        if not part.isidentifier():
            raise BadJob(f"{part!r} cannot be imported: use letters, digits and underscores only.")
        if iskeyword(part):
            raise BadJob(f"{part!r} cannot be imported: it is a word of Python itself.")
    if len(module.name) > LONGEST_NAME:
        raise BadJob(f"The name of {module.path} is longer than {LONGEST_NAME} characters.")


def _in_folders(source: Source) -> Iterable[Module]:
    for folder in source.folders:
        root = Path(folder)
        plugins = Plugins(root, source.plugins_config)
        with contextlib.suppress(OSError):
            for path in sorted(root.iterdir()):
                name = _module_name(path)
                if name and not plugins.leaves_out(_file_of(path)):
                    yield _in_folder(source, name, path)
        for name, file in plugins.below():
            yield Module(source.name, name, f"{PACKAGE}.{source.name}.{name}", str(file))


def _in_folder(source: Source, name: str, path: Path) -> Module:
    full_name = f"{PACKAGE}.{source.name}.{name}"
    if (path / FILE).is_file():
        # The package of bennettbot itself: that is all there is to it.
        return Module(source.name, name, f"{full_name}.{Path(FILE).stem}", str(path / FILE))
    return Module(source.name, name, full_name, str(_file_of(path)))


def _file_of(path: Path) -> Path:
    return path / "__init__.py" if path.is_dir() else path


def _module_name(path: Path) -> str | None:
    if path.name.startswith((".", "__")):
        return None
    if path.is_dir():
        return path.name if any((path / name).is_file() for name in ("__init__.py", FILE)) else None
    return path.stem if path.suffix == ".py" or (path.suffix in TABLES and _is_table(path)) else None


def _is_table(path: Path) -> bool:
    """Tell whether a YAML file holds commands: others that lie there are none of ours."""
    try:
        with path.open("rb") as file:
            return any(line.startswith(b"commands:") for line in file.read(MOST_TABLE_BYTES).splitlines())
    except OSError:
        return False


def _installed(source: Source) -> Iterable[Module]:
    for name in source.modules:
        # Not find_spec: it would run the parent package's code here, outside of all care.
        yield Module(source.name, name, name, _path_of(name))


def _path_of(name: str) -> str:
    relative = Path(*name.split("."))
    for entry in sys.path:
        for candidate in (Path(entry, relative).with_suffix(".py"), Path(entry, relative, "__init__.py")):
            if candidate.is_file():
                return str(candidate)
    return name


def _is_job(value: Any) -> bool:
    # The bases themselves, of whatever dialect, are no jobs: the house's own, or those of plugins.
    return (
        isinstance(value, type)
        and issubclass(value, Job)
        and not str(value.__module__).startswith("jobs.")
        and vars(value).get("dialect") not in brought
    )


def _belongs(cls: type[BaseJob], module: Module) -> bool:
    home = cls.__module__
    sibling = home.startswith(f"{PACKAGE}.{module.source}.")
    return home == module.full_name or home.startswith(f"{module.full_name}.") or not sibling


def _package(name: str, path: list[str]) -> ModuleType:
    package = sys.modules.get(name)
    if package is None:
        package = ModuleType(name)
        package.__path__ = []
        sys.modules[name] = package
    package.__path__ = path
    return package


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles from the source, always: a cached bytecode file may be a second older than the last edit."""

    def exec_module(self, module: ModuleType) -> None:
        written = written_jobs(self.path, self.get_data(self.path))
        # A `raw_config` that can be read off the text asks for nothing that the file imports.
        if written is None or not written.whole:
            super().exec_module(module)
        if written is not None:
            fill(module, written, os.environ)

    def path_stats(self, path: Any) -> Any:
        raise OSError("no bytecode")

    def get_data(self, path: Any) -> bytes:
        data = super().get_data(path)
        if path == self.path:
            # Of the very bytes that are compiled: the file may be edited in this moment.
            _loaded[self.name] = (str(path), hashlib.sha256(data).hexdigest())
        return data


class _TableLoader(_FreshLoader):
    """Makes a module of a table of commands."""

    def get_code(self, fullname: str) -> None:
        """Return nothing: there is no code."""

    def exec_module(self, module: ModuleType) -> None:
        from jobs.shell.yaml_table import read_table

        vars(module).update(read_table(self.path, self.get_data(self.path), module.__name__))


class _JobFiles(MetaPathFinder):
    """Finds `errand_jobs.<source>.<module>` in the folders of that source, and what lies in a package found so."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if not fullname.startswith(f"{PACKAGE}."):
            return self._below_alias(fullname, path)
        for folder in path or ():
            finder = importlib.machinery.FileFinder(
                folder, (_FreshLoader, importlib.machinery.SOURCE_SUFFIXES), (_TableLoader, list(TABLES))
            )
            spec = finder.find_spec(fullname)
            if spec is not None:
                return spec
        return None

    def _below_alias(self, fullname: str, path: Any) -> Any:
        """Find `<package>.<module>` where the package is a sibling: others would load it a second time, and for good."""
        package, _, name = fullname.rpartition(".")
        own_name = f"{getattr(sys.modules.get(package), '__name__', '')}.{name}"
        if not own_name.startswith(f"{PACKAGE}.") or self.find_spec(own_name, path) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Alias(own_name))


class _Siblings(MetaPathFinder):
    """Lets job files of a source import each other by their short names, as one and the same module."""

    def __init__(self, package: str, source: Source) -> None:
        self.package = package
        self.source = source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if path is not None or "." in fullname:
            return None
        for folder in self.source.folders:
            if (
                Path(folder, f"{fullname}.py").is_file()
                or Path(folder, fullname, "__init__.py").is_file()
                or (Path(folder, fullname).is_dir() and self._has_plugins(folder, fullname))
            ):
                return importlib.machinery.ModuleSpec(fullname, _Alias(f"{self.package}.{fullname}"))
            if Path(folder).name == fullname and self._is_of_project(Path(folder)):
                return importlib.machinery.ModuleSpec(fullname, _Alias(self.package))
        return None

    def _has_plugins(self, folder: str, name: str) -> bool:
        """Tell whether a folder without an `__init__.py` is one of plugins of jobschleuder."""
        plugins = Plugins(Path(folder), self.source.plugins_config)
        return any(module.startswith(f"{name}.") for module, _ in plugins.below())

    def _is_of_project(self, folder: Path) -> bool:
        """Tell whether a folder of jobs is one of plugins, which import each other as they would from above it."""
        config = Plugins(folder, self.source.plugins_config).config
        return config is not None and config.project == folder.parent


class _Alias(Loader):
    def __init__(self, full_name: str) -> None:
        self.full_name = full_name

    def create_module(self, spec: Any) -> ModuleType:
        module = importlib.import_module(self.full_name)
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just put the short name's spec on the module: give it back its own.
        module.__spec__ = self._own_spec
