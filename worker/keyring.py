"""The private keys with which workers open inputs. No other process of the portal reads them.

They are in WORKER_KEY (separated by blanks), else in the file `worker_key` of the instance folder, a line each, the
newest first. Every worker of a portal needs the same.
"""

import base64
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, LargeBinary, and_, exists, func, literal, select, update
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobResult, WorkerKey, now
from store.sealing import boxes_of, current_key, fingerprint_of_key, reseal
from store.settings import Settings, SettingsError, write_privately

VARIABLE = "WORKER_KEY"
KEY_BYTES = 32

#: A key that was replaced is kept for so long: somebody may just have sealed something with it.
KEPT = timedelta(days=1)

#: So many boxes are sealed anew in one transaction.
BATCH = 100

_BOX = func.coalesce(JobResult.sealed_data, JobResult.kept_box)


class Keyring:
    """The private keys of one worker; read when the first box comes, and again when one is missing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: dict[str, bytes] = {}

    def get(self, fingerprint: str) -> bytes | None:
        if fingerprint not in self._keys:
            self._keys = by_fingerprint(private_keys(self._settings))
        return self._keys.get(fingerprint)


def path_of(settings: Settings) -> Path:
    return settings.instance / "worker_key"


def private_keys(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[bytes]:
    """Return the keys of this machine, the newest first. Raises SettingsError."""
    path = path_of(settings)
    given = environ.get(VARIABLE, "")
    try:
        words = given.split() or path.read_text("ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The worker key in {path} cannot be read: {error}.") from error
    place = VARIABLE if given.split() else str(path)
    return [_decoded(word, place) for word in words]


def by_fingerprint(keys: list[bytes]) -> dict[str, bytes]:
    return {fingerprint_of_key(public_half(key)): key for key in keys}


def public_half(private_key: bytes) -> bytes:
    from nacl.public import PrivateKey

    return bytes(PrivateKey(private_key).public_key)


def what_is_missing(db: Session, settings: Settings) -> str | None:
    """Return why this machine cannot open what is sealed now; None: it can, or nothing is sealed for worker keys."""
    key = current_key(db)
    if key is None or key.fingerprint in by_fingerprint(private_keys(settings)):
        return None
    return (
        f"Sensitive inputs are sealed for the worker key {key.fingerprint}, which is not here: runs that have some end "
        f"errored. Copy it from another worker to {path_of(settings)}, or set {VARIABLE}. If it is lost, "
        "`./errand keys rotate --lost` begins anew."
    )


def ensure(db: Session, settings: Settings) -> None:
    """Have the portal seal inputs for this machine's key, which is made if need be, unless it does for another."""
    if current_key(db) is not None:
        return
    keys = private_keys(settings) or [_make(settings, [])]
    _register(db, public_half(keys[0]))
    db.commit()


class CannotRotate(Exception):
    """Why the key stays, as a sentence."""


def rotate(db: Session, settings: Settings, *, lost: bool = False) -> tuple[str, int]:
    """Seal inputs with a new key, those that are kept too; return its fingerprint and how many they were. Commits `db`.

    In WORKER_KEY the new one is expected to stand first; in the file it is put there. lost: what the old keys closed
    stays closed. Raises CannotRotate.
    """
    current, keys = current_key(db), private_keys(settings)
    if not lost and current is not None and current.fingerprint not in by_fingerprint(keys):
        raise CannotRotate(
            f"The worker key {current.fingerprint} is not here. Go to a machine that has it; if it is lost, say --lost."
        )
    if os.environ.get(VARIABLE, "").split():
        known = set(db.scalars(select(WorkerKey.fingerprint)))
        if fingerprint_of_key(public_half(keys[0])) in known:
            raise CannotRotate(
                f"The first key in {VARIABLE} is known already. Put a new one before it, for all workers, and start "
                "them anew; `./errand keys make` prints one."
            )
    else:
        kept = [key for mark, key in by_fingerprint(keys).items() if not _is_done_with(db, mark)]
        keys = [_make(settings, kept), *kept]
    key = _register(db, public_half(keys[0]))
    db.execute(
        update(WorkerKey)
        .where(WorkerKey.id != key.id, WorkerKey.retired_at.is_(None))
        .values(retired_at=now())
    )
    db.commit()
    fingerprint = key.fingerprint
    return fingerprint, _reseal_all(db, key, by_fingerprint(keys))


def make_key() -> str:
    from nacl.public import PrivateKey

    return base64.b64encode(bytes(PrivateKey.generate())).decode()


def boxes(db: Session, fingerprint: str) -> int:
    """Return how many boxes are closed with this key."""
    return db.scalar(select(func.count()).select_from(JobResult).where(_closed_with(fingerprint))) or 0


def _decoded(word: str, place: str) -> bytes:
    try:
        key = base64.b64decode(word, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{place} does not hold worker keys: each has {KEY_BYTES} bytes in base64.")
    return key


def _make(settings: Settings, others: list[bytes]) -> bytes:
    key = make_key()
    lines = [key, *(base64.b64encode(other).decode() for other in others)]
    try:
        write_privately(path_of(settings), "\n".join(lines) + "\n")
    except OSError as error:
        raise SettingsError(
            f"The worker key cannot be kept in {path_of(settings)}: {error.strerror}."
        ) from error
    return base64.b64decode(key)


def _register(db: Session, public_key: bytes) -> WorkerKey:
    key = WorkerKey(fingerprint=fingerprint_of_key(public_key), public_key=public_key)
    db.add(key)
    note(db, "key.new", key.fingerprint)
    db.flush()
    return key


def _is_done_with(db: Session, fingerprint: str) -> bool:
    retired_at = db.scalar(select(WorkerKey.retired_at).where(WorkerKey.fingerprint == fingerprint))
    if retired_at is None or retired_at > now() - KEPT:
        return False
    return not db.scalar(select(exists().where(_closed_with(fingerprint))))


def _reseal_all(db: Session, key: WorkerKey, private: dict[str, bytes]) -> int:
    count = 0
    for fingerprint in private:
        if fingerprint == key.fingerprint:
            continue
        while rows := _some(db, fingerprint):
            for result_id, content in rows:
                sealed = reseal(content, key, private.get)
                # Its run may have ended, and the box be gone.
                for column in (JobResult.sealed_data, JobResult.kept_box):
                    mine = (JobResult.id == result_id, column == content)
                    db.execute(update(JobResult).where(*mine).values({column: sealed}))
            db.commit()
            count += len(rows)
    return count


def _closed_with(fingerprint: str) -> ColumnElement[bool]:
    mark = boxes_of(fingerprint)
    begins = func.substr(_BOX, 1, len(mark)) == literal(mark, LargeBinary)
    return and_(_BOX.is_not(None), begins)


def _some(db: Session, fingerprint: str) -> list[tuple[object, bytes]]:
    query = select(JobResult.id, _BOX).where(_closed_with(fingerprint)).limit(BATCH)
    return [(result_id, content) for result_id, content in db.execute(query) if content]
