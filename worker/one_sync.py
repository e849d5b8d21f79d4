"""One sync: a repository is read, its jobs are looked at, and its newest commit is used, whole or not at all.

What comes of it is stored in one transaction; until then, and for good if it is refused, the commit before stays in use.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.loading import Source
from store import audit
from store.lockbox import CannotUnlock, unlock
from store.models import GitSource, JobRecord, JobSource, LoadError, SourceDelivery, SourceSync, now
from store.platform import Platform
from store.settings import Settings
from store.text import clean_text
from worker.commits import Commits
from worker.discover import MODULE_SECONDS, Found, discover
from worker.failpoints import reach
from worker.git import ASK_SECONDS, GitError, Head, Remote, Repository
from worker.refresh import left_out, store_records
from worker.snapshots import Snapshot, TooLarge, keep, remove_old, take

#: How many syncs of a source are remembered, and for how long a webhook is known again.
KEPT_SYNCS = 50
DELIVERIES_KEPT = timedelta(days=30)

#: What asks for a sync whose time has come.
BY_ITSELF = "interval"

#: The syncs that this process is at.
at_work: set[UUID] = set()

logger = logging.getLogger("errand.syncs")


class Refused(Exception):
    """Why a commit is not used, as a sentence."""

    def __init__(self, sentence: str, errors: Sequence[dict[str, Any]] = (), field: str = "") -> None:
        super().__init__(sentence)
        self.errors, self.field = list(errors), field


@dataclass(frozen=True, slots=True)
class _Look:
    """What is to be done, and what is known so far."""

    sync_id: UUID
    source_id: int
    name: str
    remote: Remote
    path: str
    via: str
    test: bool
    #: The commit to use although files of it are broken.
    anyway: str
    #: What was found last, and what is in use.
    found_ref: str
    commit: str
    refused_commit: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A commit that may be used."""

    head: Head
    snapshot: Snapshot
    found: list[Found]
    note: str


def perform(
    settings: Settings, platform: Platform, sync_id: UUID, *, module_seconds: float = MODULE_SECONDS
) -> None:
    """Look at the repository of a sync that is claimed, and use its newest commit if it is fit for use."""
    at_work.add(sync_id)
    try:
        _perform(settings, platform, sync_id, module_seconds)
    finally:
        at_work.discard(sync_id)


def _perform(settings: Settings, platform: Platform, sync_id: UUID, module_seconds: float) -> None:
    head: Head | None = None
    shown_keys = ""
    try:
        look = _read(settings, platform, sync_id)
        if look is None:
            return
        folder, seconds = folder_of(settings, sync_id), ASK_SECONDS if look.test else None
        with Repository(look.remote, folder, settings.git_allow, seconds) as repository:
            try:
                head = repository.head()
                shown_keys = repository.host_keys
                if look.test:
                    _end(platform, look, "reached", _reached(look, head), head=head, host_keys=shown_keys)
                    return
                if (head.ref, head.commit) == (look.found_ref, look.commit) or _is_refused(look, head):
                    _end(
                        platform, look, "unchanged", _nothing_new(look, head), head=head, host_keys=shown_keys
                    )
                    return
                head = Head(head.ref, repository.fetch(head.ref))
                reach("sync.fetched")
                loaded = _load(settings, platform, look, repository, head, module_seconds)
            except (GitError, Refused) as error:
                shown_keys = shown_keys or repository.host_keys
                _end_failed(platform, look, error, head, shown_keys)
                return
        _use(platform, look, loaded, shown_keys)
    except (GitError, CannotUnlock) as error:
        _fail(platform, sync_id, str(error), getattr(error, "field", "credentials"))
    except SQLAlchemyError:
        raise
    # Whatever else it is, it is our own mistake: the sync must end, and the next one be possible.
    except Exception:
        logger.exception("A sync broke")
        _fail(platform, sync_id, "It broke for a reason of ours; the log of the scheduler says which.", "")


def folder_of(settings: Settings, sync_id: UUID) -> Path:
    return settings.instance / "git" / str(sync_id)


def _read(settings: Settings, platform: Platform, sync_id: UUID) -> _Look | None:
    with platform.reading() as db:
        sync = db.get(SourceSync, sync_id)
        source = db.get(GitSource, sync.source_id) if sync is not None else None
        if sync is None or source is None:
            return None
        secrets = unlock(settings.secret_key, source.secrets)
        commit = db.scalar(select(JobSource.code_commit).where(JobSource.name == source.name)) or ""
        return _Look(
            sync_id=sync.id,
            source_id=source.id,
            name=source.name,
            remote=Remote(
                url=source.url,
                ref=source.ref,
                username=source.username,
                token=secrets.get("token", ""),
                private_key=secrets.get("private_key", ""),
                host_keys=source.host_keys,
            ),
            path=source.path,
            via=sync.asked_via,
            test=sync.test,
            anyway=sync.anyway,
            found_ref=source.found_ref,
            commit=commit,
            refused_commit=source.refused_commit,
        )


def _reached(look: _Look, head: Head) -> str:
    told = f"{head.in_words} is there; its newest commit is {head.commit[:12]}"
    return f"{told}, which is in use." if head.commit == look.commit else f"{told}."


def _is_refused(look: _Look, head: Head) -> bool:
    """Tell whether nobody wants to see this commit fail once more."""
    return look.via == BY_ITSELF and head.commit == look.refused_commit


def _nothing_new(look: _Look, head: Head) -> str:
    if head.commit == look.commit:
        return "Nothing is new."
    return f"The newest commit is still {head.commit[:12]}, which was refused."


def _load(
    settings: Settings,
    platform: Platform,
    look: _Look,
    repository: Repository,
    head: Head,
    module_seconds: float,
) -> _Loaded:
    """Fetch a commit's job files and load them. Raises GitError and Refused."""
    folder, notes = repository.export(head.commit, look.path)
    source = Source(look.name, folders=(str(folder),))
    try:
        snapshot = take(source)
    except TooLarge as error:
        raise Refused(str(error), field="path") from error
    assert snapshot is not None  # noqa: S101
    if snapshot.left_out:
        notes.append(left_out(snapshot))
    try:
        found = discover([source], plugins=settings.plugins, module_seconds=module_seconds)
    except RuntimeError as error:
        raise Refused(clean_text(f"The job files could not be loaded: {error}")) from error
    for module in found:
        _say_where(module, str(folder), look.path)
    _judge(platform, look, head, found)
    return _Loaded(head, snapshot, found, " ".join(notes))


def _say_where(module: Found, folder: str, path: str) -> None:
    """Name files as the repository does: where they lie just now is of no use to anybody."""
    prefix = f"{path}/" if path else ""
    module.path = module.path.replace(f"{folder}/", prefix)
    for error in (*module.errors, *module.advice):
        for key in ("message", "traceback"):
            error[key] = error[key].replace(f"{folder}/", prefix)


def _judge(platform: Platform, look: _Look, head: Head, found: list[Found]) -> None:
    """Raise Refused where the commit must not take the place of the one in use."""
    errors = [
        {"module": module.module, "path": module.path, **error} for module in found for error in module.errors
    ]
    if not any(module.jobs for module in found):
        why = f"no file of it can be loaded: {errors[0]['message']}" if errors else "there is no job in it."
        raise Refused(f"The commit {head.commit[:12]} is not used: {why}", errors, "" if errors else "path")
    if look.anyway == head.commit:
        return
    with platform.reading() as db:
        of_source = (JobRecord.source == look.name, JobRecord.installed)
        before = set(db.scalars(select(JobRecord.module).where(*of_source)))
    broken = sorted({module.module for module in found if module.errors and module.module in before})
    if broken:
        first = next(error for error in errors if error["module"] == broken[0])
        count = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise Refused(
            f"The commit {head.commit[:12]} is not used: {broken[0]}{count} could be loaded before, and cannot now: "
            f"{first['message']}",
            errors,
            "jobs",
        )


# --- What comes of it ---


def _use(platform: Platform, look: _Look, loaded: _Loaded, host_keys: str) -> None:
    with platform.session() as db:
        sync, source = _locked(db, look)
        if sync is None or source is None:
            return
        before = _codes(db, look.name)
        keep(db, [loaded.snapshot], commit=loaded.head.commit)
        report = store_records(
            db, loaded.found, commits=Commits.all_of(loaded.head.commit), within=(look.name,)
        )
        db.flush()
        after = _codes(db, look.name)
        _note_source(db, look, loaded)
        source.refused_commit = ""
        sync.jobs = {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": sorted(path for path in after.keys() & before.keys() if after[path] != before[path]),
        }
        sync.errors = [_told(error) for error in report.errors]
        sync.to_commit = loaded.head.commit
        _checked(source, loaded.head, host_keys)
        finish(sync, "changed", f"The commit {loaded.head.commit[:12]} is in use.")
        audit.note(
            db,
            "source.commit",
            look.name,
            before={"commit": look.commit},
            after={"commit": loaded.head.commit},
            actor=sync.asked_by,
        )
        remove_old(db)
        _forget_old(db, source)
        reach("sync.storing")
        db.commit()
    logger.info("%s is at %s.", look.name, loaded.head.commit)


def _note_source(db: Session, look: _Look, loaded: _Loaded) -> None:
    row = db.scalars(select(JobSource).where(JobSource.name == look.name)).first()
    if row is None:
        row = JobSource(name=look.name, kind="git")
        db.add(row)
    row.location, row.note = look.remote.url, loaded.note
    row.digest, row.code_commit, row.refreshed_at = loaded.snapshot.digest, loaded.head.commit, now()


def _end_failed(
    platform: Platform, look: _Look, error: GitError | Refused, head: Head | None, host_keys: str
) -> None:
    errors = error.errors if isinstance(error, Refused) else []
    _end(
        platform, look, "failed", str(error), head=head, host_keys=host_keys, errors=errors, field=error.field
    )


def _end(
    platform: Platform,
    look: _Look,
    state: str,
    outcome: str,
    *,
    head: Head | None,
    host_keys: str,
    errors: Sequence[dict[str, Any]] = (),
    field: str = "",
) -> None:
    """End a sync that leaves everything as it is."""
    with platform.session() as db:
        sync, source = _locked(db, look)
        if sync is None or source is None:
            return
        sync.errors, sync.field, sync.from_commit = list(errors), field, look.commit
        sync.to_commit = head.commit if head is not None else ""
        failed = state == "failed"
        if look.test:
            _trust(source, host_keys)
        else:
            _checked(source, None if failed else head, host_keys)
            if failed and head is not None:
                source.refused_commit = head.commit
        finish(sync, state, outcome)
        if state == "unchanged" and look.via == BY_ITSELF:
            # A history of nothing, every few minutes, hides what happened.
            db.delete(sync)
        _forget_old(db, source)
        db.commit()
    if failed:
        logger.warning("%s stays as it is: %s", look.name, outcome)


def _locked(db: Session, look: _Look) -> tuple[SourceSync | None, GitSource | None]:
    """Return the rows as they are now; None where somebody has deleted the source meanwhile."""
    source = db.get(GitSource, look.source_id, with_for_update=True)
    sync = db.get(SourceSync, look.sync_id)
    if sync is not None:
        sync.from_commit = look.commit
    return sync, source


def _checked(source: GitSource, head: Head | None, host_keys: str) -> None:
    source.checked_at = now()
    if head is not None:
        source.found_ref = head.ref
    _trust(source, host_keys)


def _trust(source: GitSource, host_keys: str) -> None:
    if host_keys and not source.host_keys:
        # Trusted the first time; from now on it has to be the same.
        source.host_keys = host_keys


def finish(sync: SourceSync, state: str, outcome: str) -> None:
    sync.state, sync.outcome, sync.finished_at = state, clean_text(outcome), now()


def _fail(platform: Platform, sync_id: UUID, outcome: str, field: str) -> None:
    with platform.session() as db:
        if (sync := db.get(SourceSync, sync_id)) is not None:
            sync.field = field
            finish(sync, "failed", outcome)
            source = db.get(GitSource, sync.source_id)
            if source is not None and not sync.test:
                source.checked_at = now()
            db.commit()


def _codes(db: Session, name: str) -> dict[str, tuple[str, str]]:
    """Return {class path: what changes with its code} of the jobs of a source that are there."""
    rows = select(JobRecord.class_path, JobRecord.code_digest, JobRecord.siblings).where(
        JobRecord.source == name, JobRecord.installed
    )
    return {path: (digest, str(sorted(siblings.items()))) for path, digest, siblings in db.execute(rows)}


def _told(error: LoadError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("module", "path", "message", "traceback")}


def _forget_old(db: Session, source: GitSource) -> None:
    of_source = SourceSync.source_id == source.id
    newest = select(SourceSync.id).where(of_source).order_by(SourceSync.created_at.desc()).limit(KEPT_SYNCS)
    over = SourceSync.finished_at.is_not(None)
    db.execute(delete(SourceSync).where(of_source, over, SourceSync.id.not_in(newest.scalar_subquery())))
    db.execute(delete(SourceDelivery).where(SourceDelivery.created_at < now() - DELIVERIES_KEPT))
