"""Equal requests count once: who asks for what still waits, of a job that wants it so, has asked for that very run."""

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import JobRecord, JobResult, JoinedRequest, Status
from store.settings import Settings
from worker import rules
from worker.attempts import ended
from worker.origins import REHEARSALS
from worker.pushes import push_first, release_key
from worker.queues import withdraw


def key_of(settings: Settings, job: JobRecord, result: JobResult) -> str | None:
    """Return what tells this request from those for something else; None: it is like no other.

    With a secret, because nobody may learn inputs from it by trying.
    """
    sealed = result.sealed_facts or result.sealed_data or result.kept_box
    if not job.dedupe or sealed or result.uploads or result.origin in REHEARSALS:
        return None
    said = (result.commit, result.queue, result.profile, result.ignore_singleton_lock, result.permitted)
    facts = [str(job.id), result.data, *said]
    asked = json.dumps(facts, sort_keys=True, default=str)
    return hmac.new(settings.secret_key.encode(), asked.encode(), hashlib.sha256).hexdigest()


def waiting(db: Session, asked: JobResult) -> JobResult | None:
    """Return the run that waits for the same as this new one; it waits until the caller's transaction ends."""
    if asked.dedupe_key is None:
        return None
    rules.lock(db, asked.class_path)
    query = (
        select(JobResult)
        .where(
            rules.PENDING,
            JobResult.dedupe_key == asked.dedupe_key,
            # One that is tried again has begun.
            JobResult.attempt == 0,
            JobResult.cancel_requested_at.is_(None),
        )
        .order_by(*rules.ORDER)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    with db.no_autoflush:
        return db.scalars(query).one_or_none()


def skip(asked: JobResult, earlier: JobResult) -> None:
    """End a new run here and now, because the earlier one is still to come."""
    cause = f"Skipped: run {earlier.short_id}, which is the same, was still waiting."
    for name, value in {"pushed_at": None, **ended(Status.CANCELED, cause)}.items():
        setattr(asked, name, value)


class Join:
    """Has the earlier run be the one that was asked for: it takes its new place in line."""

    def __init__(self, db: Session, earlier: JobResult, asked: JobResult) -> None:
        self._place = (earlier.queue, earlier.priority, earlier.class_path)
        self._key = earlier.concurrency_key
        self.result_id: UUID = earlier.id
        self._was_delayed = _is_later(earlier.not_before, asked.created_at)
        self._is_delayed = _is_later(asked.not_before, asked.created_at)
        earlier.turn_at = asked.turn_at or asked.created_at
        earlier.not_before, earlier.expires_at = asked.not_before, asked.expires_at
        if self._is_delayed:
            earlier.pushed_at, earlier.cause = None, asked.cause
        elif self._was_delayed:
            earlier.pushed_at, earlier.cause = asked.created_at, None
        if asked.idempotency_key is not None:
            db.add(
                JoinedRequest(
                    result_id=earlier.id,
                    user_id=asked.user_id,
                    idempotency_key=asked.idempotency_key,
                    idempotency_digest=asked.idempotency_digest,
                )
            )

    def pushed(self, db: Session, settings: Settings) -> bool:
        """Have its queue hear of it, and of others that were behind it; False where that cannot be reached."""
        queue, priority, class_path = self._place
        reached = True
        if self._is_delayed:
            withdraw(settings, self.result_id, queue=queue, priority=priority)
        elif self._was_delayed:
            reached = push_first(
                db, settings, self.result_id, queue=queue, priority=priority, class_path=class_path
            )
        with suppress(RedisError):
            release_key(db, settings, self._key)
        return reached


def _is_later(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment > at
