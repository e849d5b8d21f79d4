"""The only door to a run: form, API, command line and all that comes later ask here."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from jobs.errors import InvalidData
from jobs.files import Upload
from jobs.kinds import secret_names
from store.audit import note
from store.models import JobRecord, JobResult, JoinedRequest, Status, User, now
from store.permissions import look_up, require
from store.sealing import Box, current_key
from store.settings import Settings
from worker import equal_requests, rules, run_files
from worker.approvals import ask, bring_along
from worker.asked import NotRunnable as NotRunnable
from worker.asked import (
    check_commit,
    check_inputs,
    chosen_queue,
    readable,
    require_runnable,
    seal_inputs,
)
from worker.failpoints import reach
from worker.origins import A_PERSON, REHEARSALS, Origin, Taken
from worker.overrides import UNSEALED
from worker.pushes import push_first
from worker.questions import Questions
from worker.queues import withdraw
from worker.rights import require_inputs
from worker.room import require_room_for_files, require_room_on_queues
from worker.run_options import NO_OPTIONS, RunOptions, may_profile

LONGEST_KEY = 200

#: What alone runs a job that receives something.
_ONLY_BY = {
    "hook": "changes of objects alone (see Job hooks)",
    "button": "buttons on the pages of objects alone (see Buttons)",
}


@dataclass(frozen=True, slots=True)
class Reused:
    """The sealed inputs of an earlier run, for another one of the same job and the same person."""

    result_id: UUID
    box: Box
    kept_until: datetime
    concurrency_key: str | None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.box.facts)


def reusable(result: JobResult, user: User | None) -> Reused | None:
    """Return the sealed inputs of a run if this user may use them again: who typed them may, nobody else."""
    job = result.job
    if job is None or user is None or result.user_id != user.id or not result.kept_box:
        return None
    box = Box(result.kept_box, result.sealed_facts or {})
    reused = Reused(
        result.sealed_for or result.id, box, result.kept_until or result.created_at, result.concurrency_key
    )
    if reused.kept_until <= now() or result.sensitive != job.has_sensitive_variables:
        return None
    return reused if still_fits(reused, result.data, job) else None


def still_fits(reused: Reused, data: Mapping[str, Any], job: JobRecord) -> bool:
    """Tell whether a box holds just what the job would seal today: what is in it nobody here can complete, or move.

    data: the inputs that are not in the box.
    """
    secrets = set(secret_names(job.variables))
    told = {name for name, fact in reused.box.facts.items() if "length" in fact or "empty" in fact}
    if job.has_sensitive_variables:
        fits = reused.names == {variable["name"] for variable in job.variables} and secrets <= told
    else:
        in_the_open = {name for name in secrets if data.get(name)}
        fits = reused.names <= secrets and not in_the_open
    # A rule on sealed inputs can only be taken over, not made.
    limited = job.concurrency_limit and reused.names.intersection(job.concurrency_key)
    return fits and not (limited and reused.concurrency_key is None)


class KeyReused(InvalidData):
    """The idempotency key belongs to a request that asked for something else."""


def submit(
    db: Session,
    settings: Settings,
    *,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User | None,
    permitted: bool = False,
    commit: bool | None = None,
    queue: str | None = None,
    options: RunOptions = NO_OPTIONS,
    form: bool = False,
    idempotency_key: str | None = None,
    questions: Questions | None = None,
    request: dict[str, Any] | None = None,
    sealed: Reused | None = None,
    origin: Origin = A_PERSON,
    push: bool = True,
    delay: float | None = None,
) -> JobResult:
    """Store one run of `job`, queue it, and return its row. Commits `db`.

    raw: {variable name: JSON value, or an Upload for a file}; with `form`, text or lists of text as a browser
    sends them.
    user: None, with `permitted`, for a run that nobody in particular asks for.
    permitted: whoever asks may do all, as on the command line: the user's permission is not asked.
    commit: None stands for the job's own default.
    idempotency_key: what the request calls itself. Where this user's key is known, nothing is stored, and the
    row of the first request is returned, with `repeated` set.
    questions: what the job's code is asked, where the caller asks more of it for the same request.
    request: what the job is told of the web request that this came by (see jobs.request).
    sealed: the inputs that nobody here can read, of an earlier run; `raw` has the others.
    origin: what asks, where no person does so just now. Where it has asked for the same before, nothing is stored, and
    Taken is raised, as its own `claim` may.
    push: False for a caller who executes it at once: its queue does not hear of it, and it is not delayed.
    delay: the seconds that it waits at least; None: as many as the job says.
    Where the job counts equal requests once, and a run waits that is the same, that one takes its new place in line and is
    returned, with `repeated` and `joined` set; an origin with a key has a run of its own, which is canceled.
    Raises InvalidData (KeyReused among them), NotRunnable, Forbidden or Taken, before anything is stored. That Redis cannot
    be reached is no error: the row has `pushed_at` None then, and the reconciler pushes it later. A rule of the job
    may have canceled it already: it says so in its cause.
    """
    if user is not None and object_session(user) is None:
        # What somebody may do is asked of the database that the run is stored in.
        user = look_up(db, user)
    if not permitted:
        require(user, "run", job)
    user_id, digest = user.id if user else None, None
    if idempotency_key is not None:
        _check_key(idempotency_key)
        digest = _digest(settings, job, raw, commit=commit, queue=queue, options=options)
        if _is_known(db, user_id, idempotency_key):
            return _repeated(db, user_id, idempotency_key, digest)
    require_runnable(job)
    if job.receives and origin.kind not in (job.receives, *REHEARSALS):
        raise NotRunnable(f"{job.name} is run by {_ONLY_BY[job.receives]}.")
    if job.approval_required and job.has_sensitive_variables and current_key(db) is None:
        raise NotRunnable(f"{job.name} cannot be run as it is. {UNSEALED}")
    check_commit(job, commit)
    options.check(job, may_profile=permitted or may_profile(user, debug=settings.debug))
    chosen = chosen_queue(job, queue)
    questions = questions or Questions(settings, job, username=_name(user))
    reused = sealed.names if sealed else frozenset()
    asks = None if permitted else user
    data = check_inputs(db, settings, job, raw, form=form, questions=questions, sealed=reused, user=asks)
    if not permitted:
        require_inputs(user, job, readable(job, data), chosen)
        # Only now: what looks into the database keeps others from writing, and to check inputs may take long.
        require_room_on_queues(db, settings, origin)
        if user is not None:
            require_room_for_files(db, settings, user, data)
    with run_files.keeping(settings, db, data) as kept:
        if user is not None and not permitted:
            # Again: what came in the same moment found the same room, and to keep a file takes its time.
            require_room_for_files(db, settings, user, data, in_turn=True)
        result = new_row(
            db,
            settings,
            job,
            kept.data,
            user,
            queue=chosen,
            commit=commit,
            options=options,
            sealed=sealed,
            permitted=permitted,
            delay=(job.delay if delay is None else delay) if push else 0.0,
        )
        result.idempotency_key, result.idempotency_digest = idempotency_key, digest
        origin.mark(result)
        result.request, result.uploads = request, len(kept.keys)
        result.dedupe_key = equal_requests.key_of(settings, job, result) if push else None
        asks_first = job.approval_required and origin.approval is None
        earlier = None if asks_first else equal_requests.waiting(db, result)
        if earlier is not None and origin.key is None:
            return _join(db, settings, earlier, result, origin)
        ended = [*_claim(db, origin, result)]
        if earlier is not None and not result.finished:
            equal_requests.skip(result, earlier)
        waits = asks_first and not result.finished
        if waits:
            ask(db, result, job)
        elif not result.finished:
            if origin.approval is not None:
                bring_along(db, origin.approval, result)
            # One that waits for an approval is under these rules when it is approved.
            ended += rules.admit(db, result, limit=job.concurrency_limit, policy=job.concurrency_policy)
        replaced = [(old.id, old.queue, old.priority) for old in ended]
        db.add(result)
        note(
            db,
            "run.submit",
            job.class_path,
            after={"result": str(result.id), "commit": result.commit},
            actor=_name(user),
        )
        kept.give(db, result.id)
        result_id, class_path, priority = result.id, job.class_path, result.priority
        skipped = result.finished or waits or result.pushed_at is None
        # Commit before pushing: a fast worker must find the row. And read nothing in between: on SQLite that
        # would begin a transaction, and a Redis that hangs would keep every other writer waiting.
        reach("submit.before-commit")
        try:
            db.commit()
        except IntegrityError:
            db.rollback()
            if origin.key is not None and _has_asked(db, origin):
                raise Taken from None
            if idempotency_key is None or digest is None or not _is_known(db, user_id, idempotency_key):
                raise
            # The same request, in another process, was faster.
            return _repeated(db, user_id, idempotency_key, digest)
        kept.given = True
    reach("submit.after-commit")
    pushed = (
        skipped
        or not push
        or push_first(db, settings, result_id, queue=chosen, priority=priority, class_path=class_path)
    )
    reach("submit.after-push")
    _withdraw(settings, replaced)
    if not pushed:
        # Said without reading the row again: on SQLite that would take the write turn from the waiting worker.
        set_committed_value(result, "pushed_at", None)
    return result


def new_row(
    db: Session,
    settings: Settings,
    job: JobRecord,
    data: dict[str, Any],
    user: User | None,
    *,
    queue: str,
    commit: bool | None,
    options: RunOptions,
    sealed: Reused | None,
    permitted: bool,
    delay: float,
) -> JobResult:
    """Return the row of a run whose inputs were checked; it is not stored yet."""
    asked_at = now()
    result = JobResult(
        id=uuid4(),
        job_id=job.id,
        class_path=job.class_path,
        name=job.name,
        user_id=user.id if user else None,
        username=_name(user),
        status=Status.PENDING,
        commit=not job.read_only and (job.commit_default if commit is None else commit),
        profile=options.profile,
        ignore_singleton_lock=options.ignore_singleton_lock,
        queue=queue,
        priority=job.priority,
        soft_time_limit=job.effective_soft_time_limit,
        time_limit=job.effective_time_limit,
        memory_limit=job.effective_memory_limit,
        concurrency_key=rules.concurrency_key(job, data, settings.secret_key),
        sensitive=job.has_sensitive_variables,
        permitted=permitted,
        data=readable(job, data),
        created_at=asked_at,
        # Said before it is done: that saves a write, and what a dying process did not push is found by a reconciler.
        pushed_at=asked_at,
        expires_at=asked_at + timedelta(seconds=delay + job.expires) if job.expires else None,
    )
    for column, value in rules.delayed(asked_at, delay).items():
        setattr(result, column, value)
    if sealed:
        result.sealed_facts, result.kept_box = sealed.box.facts, sealed.box.content
        result.kept_until, result.sealed_for = sealed.kept_until, sealed.result_id
        if job.concurrency_limit and sealed.names.intersection(job.concurrency_key):
            result.concurrency_key = sealed.concurrency_key
    elif box := seal_inputs(db, settings, job, data):
        result.sealed_facts = box.facts
        # Who typed it at a command line is not known, and so is nobody who might run it again.
        if box.lasting and settings.sealed_days and user is not None and not permitted:
            result.kept_box = box.content
            result.kept_until = asked_at + timedelta(days=settings.sealed_days)
        else:
            result.sealed_data = box.content
    return result


def _name(user: User | None) -> str:
    return user.username if user else ""


# --- an equal request while one waits ---------------------------------------------------------------------------


def _join(db: Session, settings: Settings, earlier: JobResult, asked: JobResult, origin: Origin) -> JobResult:
    """Have the run that waits be the one that was asked for, and return it. Commits `db`."""
    user_id, key, digest = asked.user_id, asked.idempotency_key, asked.idempotency_digest
    if (
        key is not None
        and digest is not None
        and (user_id, key) == (earlier.user_id, earlier.idempotency_key)
    ):
        # The same request, in another process, was faster.
        db.rollback()
        return _repeated(db, user_id, key, digest)
    join = equal_requests.Join(db, earlier, asked)
    _claim(db, origin, earlier)
    after = {"result": str(earlier.id), "commit": earlier.commit, "joined": True}
    note(db, "run.submit", earlier.class_path, after=after, actor=asked.username)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        if key is None or digest is None or not _is_known(db, user_id, key):
            raise
        return _repeated(db, user_id, key, digest)
    if not join.pushed(db, settings):
        set_committed_value(earlier, "pushed_at", None)
    earlier.repeated = earlier.joined = True
    return earlier


# --- the same request again --------------------------------------------------------------------------------------


def _check_key(key: str) -> None:
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidData({"_idempotency_key": [f"Give 1 to {LONGEST_KEY} printable characters."]})


def _digest(
    settings: Settings,
    job: JobRecord,
    raw: Mapping[str, Any],
    *,
    commit: bool | None,
    queue: str | None,
    options: RunOptions,
) -> str:
    """Tell this request from others. With a secret, because nobody may learn inputs from it by trying."""
    facts = [str(job.id), raw, commit, queue or None, *options.chosen]
    asked = json.dumps(facts, sort_keys=True, default=_said_of)
    return hmac.new(settings.secret_key.encode(), asked.encode(), hashlib.sha256).hexdigest()


def _said_of(value: Any) -> str:
    if not isinstance(value, Upload):
        return str(value)
    digest = hashlib.sha256()
    value.stream.seek(0)
    while piece := value.stream.read(run_files.PIECE_BYTES):
        digest.update(piece)
    return f"{value.name} {digest.hexdigest()}"


def _is_known(db: Session, user_id: int | None, key: str) -> bool:
    # On a connection that only reads: the inputs are still to be checked, and that is no work for the write turn.
    with db.get_bind().engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        models = (JobResult, JoinedRequest)
        return any(connection.scalar(_of_key(select(each.id), each, user_id, key)) for each in models)


def _claim(db: Session, origin: Origin, result: JobResult) -> Sequence[JobResult]:
    if origin.claim is None:
        return ()
    try:
        return origin.claim(db, result)
    except Taken:
        db.rollback()
        raise


def _has_asked(db: Session, origin: Origin) -> bool:
    of_key = (JobResult.origin_id == origin.id, JobResult.origin_key == origin.key)
    return db.scalar(select(JobResult.id).where(*of_key)) is not None


def _repeated(db: Session, user_id: int | None, key: str, digest: str) -> JobResult:
    known: JobResult | JoinedRequest | None = db.scalars(
        _of_key(select(JobResult), JobResult, user_id, key)
    ).one_or_none()
    if known is None:
        known = db.scalars(_of_key(select(JoinedRequest), JoinedRequest, user_id, key)).one()
    if known.idempotency_digest != digest:
        raise KeyReused(
            {"_idempotency_key": ["This key was used before, for another job or with other inputs."]}
        )
    result = known if isinstance(known, JobResult) else db.get_one(JobResult, known.result_id)
    result.repeated = True
    return result


def _of_key(
    query: Select[Any], model: type[JobResult | JoinedRequest], user_id: int | None, key: str
) -> Select[Any]:
    return query.where(model.user_id == user_id, model.idempotency_key == key)


def _withdraw(settings: Settings, replaced: list[tuple[UUID, str, str]]) -> None:
    for result_id, queue, priority in replaced:
        if not withdraw(settings, result_id, queue=queue, priority=priority):
            return
