"""Putting a backup in the place of an instance."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from store.migrate import known_revisions, upgrade
from store.models import WorkerProcess
from store.platform import SCHEMA, Platform
from store.settings import Settings, plugin_names, remembered
from worker.backup.archive import DATA_FILES, INSTANCE, BackupError, Manifest, unpack
from worker.backup.engines import copy_in, database_file, is_empty, kind_of, schema_of
from worker.presence import is_silent, version


def restore(settings: Settings, archive: Path, *, force: bool = False) -> Manifest:
    """Put back what a backup has, and bring the databases up to this version. Nothing is changed before all was checked.

    force: also where there is something already. Raises BackupError.
    """
    if not archive.is_file():
        raise BackupError(f"There is no file {archive}.")
    with tempfile.TemporaryDirectory(prefix=".errand-restore-", dir=settings.instance) as name:
        folder = Path(name)
        manifest = unpack(archive, folder)
        _check_version(manifest)
        _check_target(settings, manifest, force=force)
        for part, url in _urls(settings):
            said = manifest.databases[part]
            copy_in(url, said["schema"], folder / said["member"])
        _put_files(settings, folder)
    # Which plugins have tables there, the instance remembers since just now.
    upgrade(replace(settings, plugins=plugin_names(os.environ, remembered(settings.instance))))
    return manifest


def _urls(settings: Settings) -> tuple[tuple[str, str], ...]:
    return ("platform", settings.database_url), ("data", settings.data_database_url)


def _check_version(manifest: Manifest) -> None:
    if manifest.schema not in known_revisions():
        raise BackupError(
            f"This backup is of version {manifest.version} with database {manifest.schema}, and this is version "
            f"{version()} with {SCHEMA}: restore it with that version or a later one."
        )


def _check_target(settings: Settings, manifest: Manifest, *, force: bool) -> None:
    for part, url in _urls(settings):
        said = manifest.databases.get(part)
        if said is None:
            raise BackupError(f"This backup is damaged: it has no {part} database.")
        if said["kind"] != kind_of(url):
            raise BackupError(
                f"The {part} database in this backup is {said['kind']}, and the settings name {kind_of(url)}."
            )
        if said["schema"] != (there := schema_of(url)):
            raise BackupError(
                f"The {part} database in this backup is in the schema {said['schema']}, and the settings name {there}."
            )
        if not force and not is_empty(url):
            raise BackupError(
                f"The {part} database is not empty. With --force it is replaced, and what it has is lost."
            )
    if working := _working(settings):
        raise BackupError(f"{working} is at work here. Stop the portal first.")


def _working(settings: Settings) -> str | None:
    """Return the name of a process of this portal that lives."""
    if is_empty(settings.database_url):
        return None
    platform = Platform(settings.database_url)
    try:
        with platform.reading() as db:
            rows = db.scalars(select(WorkerProcess).where(WorkerProcess.ended_at.is_(None))).all()
            return next((row.name for row in rows if not is_silent(row)), None)
    except SQLAlchemyError:
        # What is there is no database of this version: nobody can be at work on it.
        return None
    finally:
        platform.dispose()


def _put_files(settings: Settings, folder: Path) -> None:
    for name, target in ((INSTANCE, settings.instance), (DATA_FILES, settings.data_files)):
        below = folder / name
        for path in below.rglob("*"):
            if path.is_file():
                there = target / path.relative_to(below)
                there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.move(path, there)
    if kind_of(settings.database_url) == "sqlite":
        # What the search knows is of another database.
        for path in database_file(settings.database_url).parent.glob("*-search.db*"):
            path.unlink()
