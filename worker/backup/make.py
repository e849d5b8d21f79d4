"""Making a backup while the portal goes on."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from store.models import now
from store.schema import revision_of
from store.settings import Settings, remember, remembered
from worker.backup.archive import (
    DATA_FILES,
    INSTANCE,
    SECRET,
    BackupError,
    Manifest,
    digest_of,
    files_below,
    write,
)
from worker.backup.engines import copy_out, kind_of, schema_of
from worker.presence import version

#: What the folder has that is no part of a portal: it passes, it is made anew, or it is copied in another way.
LEFT_OUT = frozenset({"redis", "runs", "git", "snapshots", "up.lock"})

#: Where the instance remembers when the last one was made.
REMEMBERED = "last_backup"


def make(settings: Settings, target: Path) -> Manifest:
    """Write a backup to `target`, which only its owner may read. Raises BackupError.

    The platform's database comes first: a run that has ended there has its changes in the other copy, too; and of one that
    goes on it is found out afterwards whether they were saved, as when its worker dies.
    """
    target = target.absolute()
    if target.exists():
        raise BackupError(f"{target} is there already. Choose another name.")
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}.")
    # Beside it: a half of a backup is never found under its name, and the disk is the one that has to have room.
    with tempfile.TemporaryDirectory(prefix=".errand-backup-", dir=target.parent) as name:
        folder = Path(name)
        parts, manifest = _gather(settings, folder)
        whole = folder / "backup"
        write(whole, manifest, parts)
        whole.chmod(0o600)
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        whole.replace(target)
    remember(settings.instance, **{REMEMBERED: {"at": manifest.made_at, "file": str(target)}})
    return manifest


def last_backup(settings: Settings) -> tuple[datetime, str] | None:
    """Return when the last one was made, and where; None: never, or elsewhere."""
    said = remembered(settings.instance).get(REMEMBERED)
    if not isinstance(said, dict):
        return None
    return datetime.fromisoformat(said["at"]), str(said["file"])


def _gather(settings: Settings, folder: Path) -> tuple[dict[str, Path], Manifest]:
    made_at, parts, databases = now(), dict[str, Path](), dict[str, dict[str, str]]()
    revision = revision_of(settings.database_url)
    if not revision:
        raise BackupError("There is nothing to back up: the platform's database has no tables yet.")
    for name, url in (("platform", settings.database_url), ("data", settings.data_database_url)):
        kind, schema = kind_of(url), schema_of(url)
        member = f"{name}.{'sqlite' if kind == 'sqlite' else 'dump'}"
        copy_out(url, schema, folder / member)
        parts[member] = folder / member
        databases[name] = {"kind": kind, "schema": schema, "member": member}
    for name, path in _of_folder(settings):
        # A copy: what is written to meanwhile must be what its digest says.
        copied = folder / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, copied)
        except FileNotFoundError:
            continue
        parts[name] = copied
    manifest = Manifest(
        version=version(),
        schema=revision,
        made_at=made_at.isoformat(),
        databases=databases,
        secret=[databases["platform"]["member"], *_secret(parts)],
        outside=[name for name in ("SECRET_KEY", "WORKER_KEY", "ERRAND_FILES_URL") if os.environ.get(name)],
    )
    return parts, replace(manifest, members={name: digest_of(path) for name, path in parts.items()})


def _secret(parts: dict[str, Path]) -> list[str]:
    return [name for name in parts if name in {f"{INSTANCE}/{each}" for each in SECRET}]


def _of_folder(settings: Settings) -> Iterator[tuple[str, Path]]:
    databases = [
        Path(str(make_url(url).database)).absolute()
        for url in (settings.database_url, settings.data_database_url)
        if kind_of(url) == "sqlite"
    ]
    # With what stands beside each: its log, and the index of the search, which is made anew.
    kept = [name for each in databases for name in (each, each.with_name(f"{each.stem}-search.db"))]
    besides = {str(name) + end for name in kept for end in ("", "-wal", "-shm", "-journal")}
    for path in files_below(settings.instance):
        relative = path.relative_to(settings.instance)
        ours = relative.parts[0] in LEFT_OUT or path.is_relative_to(settings.data_files)
        if not ours and str(path) not in besides:
            yield f"{INSTANCE}/{relative.as_posix()}", path
    if settings.data_files.is_dir():
        for path in files_below(settings.data_files):
            yield f"{DATA_FILES}/{path.relative_to(settings.data_files).as_posix()}", path
