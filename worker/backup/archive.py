"""What is in a backup: a tar archive whose manifest names every part with its size and its digest."""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"

#: Members below these are files of the instance folder, and data files.
INSTANCE, DATA_FILES = "instance", "data-files"

#: Files of the instance folder that open what is sealed or signed.
SECRET = ("secret_key", "worker_key")

PIECE_BYTES = 1024 * 1024
LARGEST_MANIFEST_BYTES = 64 * 1024 * 1024


class BackupError(Exception):
    """A backup cannot be made or restored. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    version: str
    #: The revision of the PLATFORM database.
    schema: str
    made_at: str
    #: {"platform" or "data": {"kind": "sqlite" or "postgresql", "schema": its name there, "member": the file in here}}
    databases: dict[str, dict[str, str]]
    #: {name of a member: {"sha256", "size"}}, of all but this.
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Members that nobody else may have.
    secret: list[str] = field(default_factory=list)
    #: Settings that were in the environment, and are not in here.
    outside: list[str] = field(default_factory=list)
    format: int = FORMAT


def digest_of(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return {"sha256": digest.hexdigest(), "size": path.stat().st_size}


def write(archive: Path, manifest: Manifest, parts: dict[str, Path]) -> None:
    """Write the archive. parts: {name of a member: file}."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        staged = archive.with_name(archive.name + ".manifest")
        staged.write_text(json.dumps(asdict(manifest), indent=1), "utf-8")
        tar.add(staged, MANIFEST)
        staged.unlink()
        for name, path in parts.items():
            tar.add(path, name, recursive=False)


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack what the manifest names into `folder`, and see that it is whole. Raises BackupError."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _manifest(tar)
            for member in tar:
                if member.name != MANIFEST:
                    _unpack_one(tar, member, manifest, folder)
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(f"{archive} cannot be read as a backup: {error}.") from error
    for name, said in manifest.members.items():
        path = folder / name
        if not path.is_file() or digest_of(path) != said:
            raise BackupError(f"{archive} is damaged: {name} is missing, or is not what was put in.")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if first is None or file is None or first.size > LARGEST_MANIFEST_BYTES:
        raise BackupError("This is no backup of Errand: it does not begin with a manifest.")
    said = json.loads(file.read())
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BackupError("This backup was made by another version of Errand, which this one cannot read.")
    try:
        return Manifest(**said)
    except TypeError as error:
        raise BackupError(f"This backup is damaged: its manifest cannot be read: {error}.") from error


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, manifest: Manifest, folder: Path) -> None:
    parts = PurePosixPath(member.name).parts
    if member.name not in manifest.members or not member.isreg() or ".." in parts or parts[0] == "/":
        raise BackupError(f"This backup has {member.name!r}, which its manifest does not name.")
    source = tar.extractfile(member)
    if source is None:
        raise BackupError(f"This backup is damaged: {member.name} has no content.")
    path = folder / member.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as file:
        while piece := source.read(PIECE_BYTES):
            file.write(piece)
    path.chmod(0o600)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all plain files, no links and no sockets."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path
