"""Whether a record still describes its job: a file that was edited counts at once, in forms as in runs."""

import functools
import hashlib
from pathlib import Path

from sqlalchemy.orm import Session

from jobs.loading import Source, find_module
from store.models import JobRecord
from store.settings import Settings
from worker.refresh import refresh_module
from worker.sources import is_here, known_sources

#: Contents that could not be loaded: {path: digest}. Nothing comes of trying again before they change.
_broken: dict[str, str] = {}


def is_behind(settings: Settings, job: JobRecord) -> bool:
    """Tell whether the job's file, where it is here, is another than the record was made from. Runs none of it."""
    found = _file_of(settings, job)
    if found is None:
        return False
    digest = _digest_of(*found)
    return digest not in ("", job.code_digest, _broken.get(found[0]))


def is_broken(settings: Settings, job: JobRecord) -> bool:
    """Tell whether the job's file has changed since, and cannot be loaded as it is now."""
    found = _file_of(settings, job)
    return found is not None and _broken.get(found[0]) == _digest_of(*found) != job.code_digest


def catch_up(db: Session, settings: Settings, job: JobRecord) -> None:
    """Bring the records of the job's module up to its file. Commits `db`. What is wrong with it becomes a load error."""
    source = _source_of(settings, job)
    found = _file_of(settings, job)
    if source is None or found is None:
        return
    report = refresh_module(db, settings, source, job.module)
    if report.errors:
        _broken[found[0]] = _digest_of(*found)


def _source_of(settings: Settings, job: JobRecord) -> Source | None:
    """Return the folder the job's file is in, where runs take it from there."""
    if settings.jobs_from_database:
        return None
    source = next((each for each in known_sources(settings) if each.name == job.source), None)
    return source if source is not None and source.folders and is_here(source) else None


def _file_of(settings: Settings, job: JobRecord) -> tuple[str, int, int] | None:
    """Return the path of the job's file, and what changes when it is edited."""
    source = _source_of(settings, job)
    module = find_module(source, job.module) if source is not None else None
    if module is None:
        return None
    try:
        about = Path(module.path).stat()
    except OSError:
        return None
    return module.path, about.st_mtime_ns, about.st_size


@functools.lru_cache(maxsize=2_000)
def _digest_of(path: str, _changed_at: int, _size: int) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
