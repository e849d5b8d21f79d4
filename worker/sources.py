"""Where this instance's jobs come from, and which code a run uses."""

import functools
import os
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from jobs.loading import Source
from store.models import GIT, JobSource, SourceSnapshot
from store.platform import Platform
from store.plugins import load_words
from store.settings import Settings
from worker.snapshots import NoSnapshot, materialise


def job_sources(settings: Settings) -> list[Source]:
    """Return the jobs folders as `local`, and the jobs of all plugins as `plugins`."""
    modules = [module for plugin in load_words(settings.plugins) for module in plugin.jobs]
    folders = tuple(str(folder) for folder in settings.jobs_roots)
    sources = [Source("local", folders, plugins_config=str(settings.schleuder_config or ""))]
    return [*sources, Source("plugins", modules=tuple(modules))] if modules else sources


def may_bring_scripts(source: str) -> bool:
    """Tell whether scripts and styles of a source's forms are used: they act as whoever opens such a form.

    So they are where the operator of this machine has put the files: in job folders and installed plugins.
    """
    return source in ("local", "plugins")


def sources_for_run(
    platform: Platform, settings: Settings, class_path: str, source_digest: str | None = None
) -> list[Source]:
    """Return the sources for a run of `class_path`, that of its own job as this machine can have it.

    Of a git repository it is the snapshot of its last good sync. Where other folders are here, the files in them are the code: an edit counts at once. Elsewhere, and everywhere
    with ERRAND_JOBS_FROM=database, it is the snapshot the run names (`source_digest`), else that of the last refresh.
    Cheap enough to be called before every run. Raises NoSnapshot.
    """
    name = class_path.partition("/")[0]
    if name.startswith(GIT):
        own = _as_unpacked(platform, settings, Source(name), source_digest)
        return [*known_sources(settings), own]
    return [
        _as_unpacked(platform, settings, source, source_digest)
        if source.name == name and _comes_from_database(settings, source)
        else source
        for source in known_sources(settings)
    ]


def source_of(sources: list[Source], class_path: str) -> Source | None:
    """Return the one of `sources` that a run's code comes from."""
    name = class_path.partition("/")[0]
    return next((source for source in sources if source.name == name), None)


def snapshot_of(sources: list[Source], class_path: str) -> str | None:
    """Return the digest of the snapshot a run's code comes from, for its `source_digest`."""
    source = source_of(sources, class_path)
    return source.snapshot if source is not None else None


# A look through all installed packages for plugins takes milliseconds, and always finds the same.
@functools.cache
def known_sources(settings: Settings) -> tuple[Source, ...]:
    return tuple(job_sources(settings))


def _comes_from_database(settings: Settings, source: Source) -> bool:
    return bool(source.folders) and (settings.jobs_from_database or not is_here(source))


def is_here(source: Source) -> bool:
    """Tell whether this machine has the source's folders, or some of them."""
    return any(Path(folder).is_dir() for folder in source.folders)


def _as_unpacked(platform: Platform, settings: Settings, source: Source, source_digest: str | None) -> Source:
    with platform.reading() as db:
        of_last_refresh = select(JobSource.digest).where(JobSource.name == source.name).scalar_subquery()
        facts = select(SourceSnapshot.digest, SourceSnapshot.code_commit)
        row = source_digest and db.execute(facts.where(SourceSnapshot.digest == source_digest)).first()
        row = row or db.execute(facts.where(SourceSnapshot.digest == of_last_refresh)).first()
    if not row:
        raise NoSnapshot(_missing(settings, source))
    digest, commit = row
    return replace(source, folders=materialise(platform, settings, digest), snapshot=digest, commit=commit)


def _missing(settings: Settings, source: Source) -> str:
    if source.name.startswith(GIT):
        return f"The job files of {source.name} cannot be had: it has not been synced yet, or was deleted."
    why = (
        "ERRAND_JOBS_FROM=database asks for a snapshot"
        if settings.jobs_from_database
        else f"{os.pathsep.join(source.folders)} is not on this machine"
    )
    return (
        f"The job files of {source.name} cannot be had here: {why}, and the database has none. "
        "Run ./errand jobs refresh on the machine that has the files; it says if they are too large."
    )
