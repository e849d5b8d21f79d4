"""The file jobschleuder.yaml: which plugins there are, and how their source of truth is reached."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

NAME = "jobschleuder.yaml"

#: A folder of this name is a project's folder of settings.
CONF = "conf"

#: Where a config lies that is of no project.
OF_A_PERSON = Path("~/.veritas/miniapps/jobschleuder")
OF_THE_SYSTEM = Path("/etc/veritas/miniapps/jobschleuder")

#: The lists of plugins: whose functions are jobs, and whose functions come before or after jobs.
WITH_JOBS, WITHOUT_JOBS = "plugins", "preprocessing"


class BadConfig(Exception):
    """A config that cannot be read, as a sentence."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A plugin that a config lists."""

    label: str
    #: Below the project, without its ending.
    place: Path
    #: Whether its functions are jobs.
    has_jobs: bool

    @property
    def file(self) -> Path:
        package = self.place / "__init__.py"
        # Not Path.is_file, which raises where a folder above may not be looked into.
        return package if os.path.isfile(package) else self.place.with_name(f"{self.place.name}.py")


@dataclass(frozen=True, slots=True)
class Config:
    path: Path
    #: In the order in which they are loaded, those without jobs last.
    plugins: tuple[Listed, ...] = ()
    #: How the source of truth is reached.
    sot: Mapping[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return project_of(self.path)


def project_of(path: Path) -> Path:
    """Return the folder that a config is of, in which its plugins run."""
    return path.parent.parent if path.parent.name == CONF else path.parent


def config_of(folder: Path, given: str = "") -> Config | None:
    """Return the config for a folder of jobs: in it or above it; else `given`, where that lists plugins in it.

    Raises BadConfig.
    """
    for project in (folder, folder.parent):
        for path in (project / NAME, project / CONF / NAME):
            if os.path.isfile(path):
                return read_config(path)
    if given and os.path.isfile(given):
        config = read_config(Path(given))
        if any(listed.place.is_relative_to(folder) for listed in config.plugins):
            return config
    return None


def find_config(given: str, projects: Sequence[Path]) -> Path | None:
    """Return the config that a command is to use: an absolute path, or a name that is looked for."""
    name = Path(given or NAME).expanduser()
    if name.is_absolute() or (given and os.path.isfile(name)):
        return name.absolute() if os.path.isfile(name) else None
    places = [OF_A_PERSON.expanduser(), *_of_projects(projects), OF_THE_SYSTEM]
    return next((place / name for place in places if os.path.isfile(place / name)), None)


def _of_projects(projects: Sequence[Path]) -> Iterator[Path]:
    for project in projects:
        yield from (project, project / CONF)


def read_config(path: Path) -> Config:
    """Raises BadConfig."""
    try:
        facts = path.stat()
    except OSError as error:
        raise BadConfig(f"unable to read config {path}: {error.strerror}.") from error
    return _read(path, facts.st_mtime_ns, facts.st_size)


# Each run of a plugin asks for it.
@lru_cache(maxsize=20)
def _read(path: Path, _changed_at: int, _size: int) -> Config:
    # Imported here: most folders of jobs have none.
    import yaml

    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise BadConfig(f"unable to read config {path}: {error}") from error
    if not isinstance(said, dict):
        raise BadConfig(f"unable to read config {path}: it must be a mapping.")
    sot = said.get("sot")
    lists = ((WITH_JOBS, True), (WITHOUT_JOBS, False))
    found = [listed for key, jobs in lists for listed in _listed(path, said.get(key), key, jobs)]
    return Config(path, tuple(_once(found)), sot if isinstance(sot, dict) else {})


def _listed(path: Path, said: Any, key: str, has_jobs: bool) -> Iterator[Listed]:
    if said is None:
        return
    if not isinstance(said, dict):
        raise BadConfig(f"unable to read config {path}: {key} must be a mapping of labels to plugins.")
    for label, facts in said.items():
        folder, plugin = (_text(facts, name) for name in ("plugin_dir", "plugin"))
        if not plugin:
            raise BadConfig(f"unable to read config {path}: {label} in {key} must say its plugin.")
        parts = [part for text in (folder, plugin) for part in text.replace("/", ".").split(".") if part]
        yield Listed(str(label), project_of(path).joinpath(*parts), has_jobs)


def _text(facts: Any, name: str) -> str:
    value = facts.get(name) if isinstance(facts, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _once(found: Sequence[Listed]) -> list[Listed]:
    """Leave out a plugin that is listed again without jobs."""
    with_jobs = {listed.place for listed in found if listed.has_jobs}
    return [listed for listed in found if listed.has_jobs or listed.place not in with_jobs]
