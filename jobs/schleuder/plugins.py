"""The plugins of a folder of jobs: the files that its config lists, or that say they are plugins."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jobs.schleuder.config import BadConfig, Config, config_of
from jobs.schleuder.functions import registered_by

#: What a file says that is a plugin.
_IMPORTS = re.compile(
    rb"^[ \t]*(from[ \t]+veritas\.plugin[ \t]+import|import[ \t]+veritas\.plugin|from[ \t]+veritas[ \t]+import[ \t]+plugin)\b",
    re.MULTILINE,
)

#: The program that plugins were written for, where it lies beside them.
PROGRAM = "jobschleuder.py"

#: What is called with (module, exception) where a plugin cannot be loaded.
Broken = Callable[[str, BaseException], None]


class Plugins:
    def __init__(self, folder: Path, given: str = "") -> None:
        """given: the config to take where the folder has none."""
        self.folder = folder
        #: Why the config cannot be read, as a sentence.
        self.problem = ""
        self.config: Config | None = None
        try:
            self.config = config_of(folder, given)
        except BadConfig as error:
            self.problem = str(error)

    @property
    def project(self) -> Path:
        """The folder in which plugins run."""
        return self.config.project if self.config else self.folder

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """The plugins by the names of their modules, in the order in which they are loaded."""
        if self.config is not None:
            return {
                ".".join(listed.place.relative_to(self.folder).parts): listed.file
                for listed in self.config.plugins
                if listed.place.is_relative_to(self.folder) and listed.place != self.folder
            }
        if self.problem:
            return {}
        return {path.stem: path for path in sorted(self.folder.glob("*.py")) if is_plugin(path)}

    @cached_property
    def without_jobs(self) -> frozenset[str]:
        """Those of these modules whose functions are no jobs."""
        if self.config is None:
            return frozenset()
        places = {listed.place for listed in self.config.plugins if not listed.has_jobs}
        return frozenset(name for name in self.files if self.folder.joinpath(*name.split(".")) in places)

    def leaves_out(self, file: Path) -> bool:
        """Tell whether a file of the folder is a plugin that is not listed, or no job file at all."""
        if self.config is None and not self.problem:
            return False
        return file not in self.files.values() and (file.name == PROGRAM or is_plugin(file))

    def below(self) -> Iterator[tuple[str, Path]]:
        """Yield the plugins that lie deeper than in the folder itself."""
        yield from ((name, file) for name, file in self.files.items() if "." in name)

    def is_overridden(self, module: str, name: str) -> bool:
        """Tell whether a plugin that is loaded later registers a job's name, too."""
        names = [each for each in self.files if each not in self.without_jobs]
        later = names[names.index(module) + 1 :] if module in names else []
        pattern = re.compile(rb"jobschleuder\s*\(\s*[\"']" + re.escape(name.encode()) + rb"[\"']")
        return any(pattern.search(_text(self.files[each])) for each in later)


class Home:
    """Where a job's function comes from, and all others that go with it."""

    def __init__(self, plugins: Plugins, package: str, module: str) -> None:
        """package: below which its modules are imported; module: its own."""
        self.plugins = plugins
        self._package, self.module = package, module

    def function(self, name: str, broken: Broken, *, everywhere: bool = False) -> Callable[..., Any] | None:
        """Return what is registered under a name; the last plugin counts.

        everywhere: look also into plugins that do not seem to say the name.
        """
        names = list(dict.fromkeys([*self.plugins.files, self.module]))
        known = [each for each in names if each == self.module or self._says(each, name)]
        self._load(known, broken)
        found = self._registered(known, name)
        if found is None and everywhere:
            self._load([each for each in names if each not in known], broken)
            found = self._registered(names, name)
        return found

    def module_of(self, name: str) -> str:
        """Return the module whose job has this name; "" where none has."""
        for module in reversed([*self.plugins.files, self.module]):
            if module not in self.plugins.without_jobs and name in registered_by(self._package + module):
                return module
        return ""

    def _says(self, module: str, name: str) -> bool:
        return name.encode() in _text(self.plugins.files[module])

    def _load(self, modules: list[str], broken: Broken) -> None:
        for module in modules:
            try:
                importlib.import_module(self._package + module)
            except Exception as error:  # Another plugin's code: this run can do without.
                broken(module, error)

    def _registered(self, modules: list[str], name: str) -> Callable[..., Any] | None:
        found = (registered_by(self._package + module).get(name) for module in reversed(modules))
        return next((function for function in found if function is not None), None)


def is_plugin(file: Path) -> bool:
    return _IMPORTS.search(_text(file)) is not None


def project_of_plugin(file: Path) -> Path | None:
    """Return the folder in which a file is to be loaded, if it is a plugin."""
    if not is_plugin(file):
        return None
    # The folder of its jobs is not known here: it is this one, or above.
    for folder in (file.parent, *file.parent.parents[:2]):
        config = Plugins(folder).config
        if config is not None and any(listed.file == file for listed in config.plugins):
            return config.project
    return file.parent


def _text(file: Path) -> bytes:
    try:
        facts = file.stat()
    except OSError:
        return b""
    return _read(file, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=500)
def _read(file: Path, _changed_at: int, _size: int) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
