"""Whether a record still describes its job: a file that was edited counts at once, in forms as in runs."""

import functools
import hashlib
from pathlib import Path

from sqlalchemy.orm import Session

from jobs.form_template import fingerprint
from jobs.loading import Source, find_module
from store.models import JobRecord
from store.settings import Settings
from worker.refresh import refresh_module
from worker.sources import is_here, known_sources

#: What a job's files look like: the digest of its own, those of the files it imports, and the fingerprints of those its
#: form is made of.
State = tuple[str, dict[str, str], dict[str, str]]

#: States that could not be loaded: {class path: state}. Nothing comes of trying again before they change.
_broken: dict[str, State] = {}


def is_behind(settings: Settings, job: JobRecord) -> bool:
    """Tell whether the job's files, where they are here, are others than the record was made from. Runs none of them."""
    state = _state_of(settings, job)
    return state is not None and state not in (_recorded(job), _broken.get(job.class_path))


def is_broken(settings: Settings, job: JobRecord) -> bool:
    """Tell whether the job's file has changed since, and cannot be loaded as it is now."""
    state = _state_of(settings, job)
    return state is not None and state == _broken.get(job.class_path) and state[:2] != _recorded(job)[:2]


def catch_up(db: Session, settings: Settings, job: JobRecord) -> None:
    """Bring the records of the job's module up to its file. Commits `db`. What is wrong with it becomes a load error."""
    source = _source_of(settings, job)
    if source is None or _state_of(settings, job) is None:
        return
    report = refresh_module(db, settings, source, job.module)
    state = _state_of(settings, job)
    if report.errors and state is not None:
        _broken[job.class_path] = state


def _recorded(job: JobRecord) -> State:
    return job.code_digest, job.siblings, job.form_files


def _state_of(settings: Settings, job: JobRecord) -> State | None:
    """Return how the job's files look now; None where they are not here."""
    source = _source_of(settings, job)
    path = _file_of(source, job) if source is not None else ""
    digest = _digest_of(path) if path else ""
    if not digest or source is None:
        return None
    siblings = {name: _digest_of(_path_in(source, name)) for name in job.siblings}
    return digest, siblings, {name: fingerprint(path, name) for name in job.form_files}


def _source_of(settings: Settings, job: JobRecord) -> Source | None:
    """Return the folder the job's file is in, where runs take it from there."""
    if settings.jobs_from_database:
        return None
    source = next((each for each in known_sources(settings) if each.name == job.source), None)
    return source if source is not None and source.folders and is_here(source) else None


def _file_of(source: Source, job: JobRecord) -> str:
    """Return the path of the job's file; "" where it is not here."""
    module = find_module(source, job.module)
    return module.path if module is not None else ""


def _path_in(source: Source, name: str) -> str:
    """Return the path of a module of the source, as its folders have it now; "" where there is none."""
    for folder in source.folders:
        place = Path(folder, *name.split("."))
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                return str(path)
    return ""


def _digest_of(path: str) -> str:
    try:
        about = Path(path).stat()
    except OSError:
        return ""
    return _digest(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=2_000)
def _digest(path: str, _changed_at: int, _size: int) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
