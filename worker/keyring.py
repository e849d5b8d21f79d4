"""The private keys with which workers open inputs. No other process of the portal reads them.

They are in WORKER_KEY (separated by blanks), else in the file `worker_key` of the instance folder, a line each, the
newest first. Every worker of a portal needs the same.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, and_, false, func, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.audit import note
from store.models import JobResult, Schedule, WorkerKey, now
from store.sealing import CannotOpen, boxes_of, current_key, fingerprint_of_key, reseal
from store.settings import Settings, SettingsError, write_privately

VARIABLE = "WORKER_KEY"
KEY_BYTES = 32

#: A key that was replaced is kept for so long: somebody may just have sealed something with it.
KEPT = timedelta(days=1)

#: So many boxes are sealed anew in one transaction.
BATCH = 100

#: What keeps two from making keys at once on PostgreSQL.
_LOCK = 7_205_120

_Model = type[JobResult] | type[Schedule]

#: Where boxes are kept: of a run in one column or the other.
_KEPT_IN: Mapping[_Model, Sequence[InstrumentedAttribute[bytes | None]]] = {
    JobResult: (JobResult.sealed_data, JobResult.kept_box),
    Schedule: (Schedule.kept_box,),
}


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
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"The worker key in {path} cannot be read: {said}.") from error
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
    _lock(db)
    if current_key(db) is not None:
        return
    keys = private_keys(settings) or [_make(settings, [])]
    _register(db, public_half(keys[0]))
    db.commit()


class CannotRotate(Exception):
    """Why the key stays, as a sentence."""


@dataclass(frozen=True, slots=True)
class Rotated:
    fingerprint: str
    #: How many boxes were closed with the new key, and how many could not be opened.
    resealed: int
    closed: int


def prepare(settings: Settings) -> str:
    """Put a new key before the others into the file, for the next rotation; return its fingerprint.

    The file can be copied to the other machines then, before anything is sealed with it. Raises CannotRotate.
    """
    if os.environ.get(VARIABLE, "").split():
        raise CannotRotate(f"The keys are in {VARIABLE}: put a new one before them, for all workers.")
    return fingerprint_of_key(public_half(_make(settings, private_keys(settings))))


def rotate(db: Session, settings: Settings, *, lost: bool = False) -> Rotated:
    """Seal inputs with a new key, those that are kept too. Commits `db`.

    That is the first of this machine's if nothing was sealed with it yet (see `prepare`); otherwise one is made, in the
    file alone. lost: what the old keys closed stays closed. Raises CannotRotate.
    """
    _lock(db)
    current, keys = current_key(db), private_keys(settings)
    if not lost and current is not None and current.fingerprint not in by_fingerprint(keys):
        raise CannotRotate(
            f"The worker key {current.fingerprint} is not here. Go to a machine that has it; if it is lost, say --lost."
        )
    known = set(db.scalars(select(WorkerKey.fingerprint)))
    if not keys or fingerprint_of_key(public_half(keys[0])) in known:
        keys = _with_another(db, settings, current, keys)
    first = fingerprint_of_key(public_half(keys[0]))
    if first not in known:
        _register(db, public_half(keys[0]))
        retired = update(WorkerKey).where(WorkerKey.fingerprint != first, WorkerKey.retired_at.is_(None))
        db.execute(retired.values(retired_at=now()))
        note(db, "key.lost" if lost else "key.rotate", first)
    db.commit()
    key = current_key(db)
    assert key is not None  # noqa: S101
    return _reseal_all(db, key, by_fingerprint(keys))


def _with_another(
    db: Session, settings: Settings, current: WorkerKey | None, keys: list[bytes]
) -> list[bytes]:
    if not os.environ.get(VARIABLE, "").split():
        kept = [key for mark, key in by_fingerprint(keys).items() if not _is_done_with(db, mark)]
        return [_make(settings, kept), *kept]
    first = fingerprint_of_key(public_half(keys[0]))
    if current is not None and current.fingerprint == first and _left(db, by_fingerprint(keys), first):
        return keys  # A rotation that did not come to its end.
    raise CannotRotate(
        f"The first key in {VARIABLE} is known already. Put a new one before it, for all workers, and start "
        "them anew; `./errand keys make` prints one."
    )


def _left(db: Session, private: dict[str, bytes], first: str) -> bool:
    return any(boxes(db, fingerprint) for fingerprint in private if fingerprint != first)


def _lock(db: Session) -> None:
    """Have others who make or replace keys wait. SQLite has a single writer anyway."""
    if db.connection().dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def make_key() -> str:
    from nacl.public import PrivateKey

    return base64.b64encode(bytes(PrivateKey.generate())).decode()


def boxes(db: Session, fingerprint: str) -> int:
    """Return how many boxes are closed with this key."""
    queries = (
        select(func.count()).select_from(model).where(_closed_with(model, fingerprint)) for model in _KEPT_IN
    )
    return sum(db.scalar(query) or 0 for query in queries)


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
    return not boxes(db, fingerprint)


def _reseal_all(db: Session, key: WorkerKey, private: dict[str, bytes]) -> Rotated:
    resealed = closed = 0
    others = [fingerprint for fingerprint in private if fingerprint != key.fingerprint]
    for model in _KEPT_IN:
        last = UUID(int=0)
        while rows := _some(db, model, others, last):
            for row_id, content in rows:
                try:
                    sealed = reseal(content, key, private.get)
                except CannotOpen:
                    # It stays as it is: its run says so when it starts.
                    closed += 1
                    continue
                for column in _KEPT_IN[model]:
                    # Its run may have ended, and the box be gone.
                    mine = (model.id == row_id, column == content)
                    db.execute(update(model).where(*mine).values({column: sealed}))
                resealed += 1
            last = rows[-1][0]
            db.commit()
    return Rotated(key.fingerprint, resealed, closed)


def _box(model: _Model) -> ColumnElement[Any]:
    columns = _KEPT_IN[model]
    return func.coalesce(*columns) if len(columns) > 1 else columns[0].expression


def _closed_with(model: _Model, fingerprint: str) -> ColumnElement[bool]:
    mark = boxes_of(fingerprint)
    begins = func.substr(_box(model), 1, len(mark)) == literal(mark, LargeBinary)
    return and_(_box(model).is_not(None), begins)


def _some(db: Session, model: _Model, fingerprints: list[str], after: UUID) -> list[tuple[UUID, bytes]]:
    """Return some boxes that these keys close, in the order of their rows' ids."""
    mine = or_(false(), *(_closed_with(model, fingerprint) for fingerprint in fingerprints))
    query = select(model.id, _box(model)).where(model.id > after, mine).order_by(model.id).limit(BATCH)
    return [(row_id, content) for row_id, content in db.execute(query)]
