"""Webhooks: a signed request of another program runs a job, once, and leaves a row that says why it did or did not."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, undefer

from jobs.errors import InvalidData
from store.lockbox import CannotUnlock, lock, unlock
from store.models import JobRecord, JobResult, User, Webhook, WebhookDelivery, now
from store.settings import Settings
from worker.asked import require_runnable
from worker.matching import Rule
from worker.origins import Origin, Taken
from worker.payloads import BadPayload, Headers, facts_of_delivery
from worker.references import BadReference, resolve
from worker.refusals import REFUSALS, NoRun, sentence
from worker.room import Full
from worker.signatures import BadSignature, by_github, with_time
from worker.submit import submit
from worker.webhook_log import Answer, Outcome, Request, logged, row_of

#: How long the secret before is right, too.
BEFORE_LASTS = timedelta(days=1)

_CHECKS = {"github": by_github, "generic": with_time}


def find(db: Session, webhook_id: UUID) -> Webhook | None:
    """Return a webhook with all that it takes to judge a request, and with its job."""
    options = (joinedload(Webhook.job), undefer(Webhook.box))
    return db.scalars(select(Webhook).where(Webhook.id == webhook_id).options(*options)).one_or_none()


def receive(db: Session, settings: Settings, webhook: Webhook, came: Request) -> Answer:
    """Do what a request asks for, if it is signed and fits, and write down what became of it. Commits `db`.

    webhook: as `find` gives it, of another session that only reads: who signs nothing takes no turn to write
    longer than it takes to count him.
    """
    body = came.body
    if body is None:
        return logged(db, webhook, came, Answer("unsigned", 413, "The body is larger than 1 MB."))
    try:
        digest = _CHECKS[webhook.form](came.headers, body, secrets_of(settings, webhook))
    except (BadSignature, CannotUnlock) as error:
        return logged(db, webhook, came, Answer("unsigned", 401, str(error)))
    came = replace(came, digest=digest)
    if not webhook.enabled:
        return logged(db, webhook, came, Answer("refused", 404, "The webhook is off."))
    return _deal(db, settings, webhook, came, body)


def send_again(
    db: Session, settings: Settings, webhook: Webhook, delivery: WebhookDelivery, username: str
) -> Answer:
    """Have what came once be judged, and run, as if it came now. Raises NoRun where it cannot. Commits `db`."""
    if problem := why_not_again(webhook, delivery):
        raise NoRun(problem)
    body = delivery.body or b""
    came = Request(
        Headers(delivery.headers), body, delivery.address, digest=delivery.digest, sent_by=username
    )
    return _deal(db, settings, webhook, came, body)


def why_not_again(webhook: Webhook, delivery: WebhookDelivery) -> str:
    """Return why a delivery cannot be sent again; "" where it can."""
    if not delivery.digest:
        return "Nobody signed it, so nobody knows who wrote it."
    if delivery.body is None or len(delivery.body) < delivery.body_bytes:
        return "Its body was not kept, or not the whole of it."
    return "" if webhook.enabled else "The webhook is off."


# --- Secrets --------------------------------------------------------------------------------------------------


def new_secret(settings: Settings, webhook: Webhook) -> str:
    """Give a webhook a new secret and return it. The one before stays right for BEFORE_LASTS."""
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    try:
        before = unlock(settings.secret_key, webhook.box).get("secret", "")
    except CannotUnlock:
        before = ""
    webhook.box = lock(settings.secret_key, {"secret": secret, "before": before})
    webhook.before_until = now() + BEFORE_LASTS if before else None
    return secret


def secrets_of(settings: Settings, webhook: Webhook) -> list[bytes]:
    """Return what requests may be signed with. Raises CannotUnlock."""
    box = unlock(settings.secret_key, webhook.box)
    names = ["secret"]
    if webhook.knows_before:
        names.append("before")
    return [str(box.get(name, "")).encode() for name in names]


# --- What becomes of a request --------------------------------------------------------------------------------


def _deal(db: Session, settings: Settings, webhook: Webhook, came: Request, body: bytes) -> Answer:
    if repeated := _repeated(db, webhook, came):
        return logged(db, webhook, came, repeated)
    try:
        answer = _run(db, settings, webhook, came, _inputs(webhook, came.headers, body))
    except Taken:
        db.rollback()
        gone = Answer("refused", 404, "The webhook was deleted.")
        return logged(db, webhook, came, _repeated(db, webhook, came) or gone)
    except _Refusal as refusal:
        db.rollback()
        return logged(db, webhook, came, refusal.answer)
    return answer


class _Refusal(Exception):
    def __init__(self, outcome: Outcome, status: int, reason: str, errors: Any = None) -> None:
        super().__init__(reason)
        self.answer = Answer(outcome, status, reason, errors=errors)


def _inputs(webhook: Webhook, headers: Headers, body: bytes) -> dict[str, Any]:
    """Return what a request gives the job. Raises _Refusal."""
    if is_ping(webhook, headers):
        raise _Refusal("unmatched", 200, "GitHub tries whether anybody is here. A ping runs nothing.")
    try:
        facts = facts_of_delivery(headers, body)
    except BadPayload as error:
        raise _Refusal("refused", 400, str(error)) from error
    for rule in rules_of(webhook):
        if why_not := rule.why_not(facts):
            raise _Refusal("unmatched", 200, f"It does not fit the rule {rule}: {why_not}")
    try:
        return resolve(webhook.data, facts)
    except BadReference as error:
        raise _Refusal("refused", 422, str(error)) from error


def is_ping(webhook: Webhook, headers: Headers) -> bool:
    """Tell whether it is what GitHub sends to a webhook that was just made."""
    return webhook.form == "github" and headers.get("X-GitHub-Event") == "ping"


def rules_of(webhook: Webhook) -> list[Rule]:
    return [Rule(**rule) for rule in webhook.rules]


def _run(
    db: Session, settings: Settings, webhook: Webhook, came: Request, inputs: Mapping[str, Any]
) -> Answer:
    def claim(session: Session, result: JobResult) -> Sequence[JobResult]:
        row = row_of(webhook, came, Answer("accepted", 202, "", result.id))
        if not came.sent_by:
            row.claim = row.name or None
        row.reason = accepted(job, webhook)
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise Taken from None
        return ()

    try:
        job, user = runs_what(db, webhook)
        result = submit(
            db,
            settings,
            job=job,
            raw=inputs,
            user=user,
            commit=webhook.commit if job.asks_commit else None,
            queue=webhook.queue or None,
            origin=Origin(
                kind="webhook",
                id=webhook.id,
                name=webhook.name,
                key=None if came.sent_by else came.digest,
                claim=claim,
            ),
        )
    except REFUSALS as refusal:
        errors = refusal.errors if isinstance(refusal, InvalidData) else None
        status = 422 if isinstance(refusal, InvalidData) else 429 if isinstance(refusal, Full) else 403
        raise _Refusal("refused", status, sentence(refusal, as_whom(webhook)), errors) from refusal
    return Answer("accepted", 202, accepted(job, webhook), result.id)


def accepted(job: JobRecord, webhook: Webhook) -> str:
    after = ", once somebody has approved it" if job.approval_required else ""
    return f"It runs {job.name} as {webhook.username}{after}."


def runs_what(db: Session, webhook: Webhook) -> tuple[JobRecord, User]:
    """Return the job and the person, as they are now. Raises NoRun, NotRunnable."""
    job = db.get(JobRecord, webhook.job_id) if webhook.job_id is not None else None
    if job is None:
        raise NoRun("The job that it was to run is gone.")
    user = db.get(User, webhook.user_id) if webhook.user_id is not None else None
    if user is None:
        raise NoRun(f"{as_whom(webhook)} is gone.")
    if not user.active:
        raise NoRun(f"{as_whom(webhook)} may not do anything any more.")
    require_runnable(job)
    return job, user


def as_whom(webhook: Webhook) -> str:
    return f"{webhook.username}, as whom it runs,"


def _repeated(db: Session, webhook: Webhook, came: Request) -> Answer | None:
    """Return the answer to a request that came before, be it under another name; None for a new one."""
    if came.sent_by:
        return None
    name = came.name(webhook.form)
    signed = select(JobResult.id).where(
        JobResult.origin_id == webhook.id, JobResult.origin_key == came.digest
    )
    of_webhook = select(WebhookDelivery.result_id).where(WebhookDelivery.webhook_id == webhook.id)
    named = of_webhook.where(WebhookDelivery.claim == (name or None))
    # The run may have been deleted since. GitHub signs neither a time nor its name for it: what was seen once could be
    # sent again as long as nobody remembers it.
    accepted_before = of_webhook.where(
        WebhookDelivery.outcome == "accepted", WebhookDelivery.digest == came.digest
    )
    result_id = _read(db, signed) or (_read(db, named) if name else None) or _read(db, accepted_before)
    if result_id is None:
        return None
    return Answer("repeated", 200, "It came before, so it runs nothing a second time.", result_id)


def _read(db: Session, query: Select[Any]) -> Any:
    # Beside the session: on SQLite to ask there would take the write turn.
    with db.get_bind().engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        return connection.scalar(query.limit(1))
