"""Webhooks: other programs say that something happened, and prove who they are by signing it."""

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, jsonify, make_response, request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import RequestEntityTooLarge

from store import audit
from store.lockbox import CannotUnlock, unlock
from store.models import GitSource, SourceDelivery
from store.text import clean_text
from webapp.auth import for_programs
from webapp.database import db, reading
from worker import webhooks
from worker.payloads import Headers
from worker.room import WAIT_SECONDS
from worker.signatures import BadSignature, by_github, in_one_header, with_time
from worker.syncs import ask
from worker.webhook_log import Answer, Request

blueprint = Blueprint("webhooks", __name__, url_prefix="/hooks")

MOST_BYTES = 1024 * 1024


@blueprint.post("/sources/<slug>")
@for_programs
def sync_source(slug: str) -> Response:
    """Look at a git repository now: something was pushed to it.

    202 with the sync; 204 where it does not concern what we follow; 401 without a right signature; 413.
    """
    body = _body()
    if body is None:
        return _answer(413, f"Send at most {MOST_BYTES >> 20} MB.")
    source = db.session.scalars(select(GitSource).where(GitSource.slug == clean_text(slug))).one_or_none()
    digest = _digest(_secret_of(source), body)
    # The same answer for what is not there: nobody may find out names by trying.
    if source is None or digest is None:
        return _answer(401, "The signature is missing, wrong or too old.")
    payload = _payload(body)
    if payload is None:
        return _answer(400, "Send a JSON object.")
    if not source.enabled or not _concerns(source, payload):
        return make_response("", 204)
    return _sync_once(source, digest)


@blueprint.post("/in/<uuid:webhook_id>")
@for_programs
def receive(webhook_id: UUID) -> Response:
    """Run a job, if the request is signed and fits (see worker.webhooks and docs/webhooks.md)."""
    body = _body()
    with reading() as session:
        webhook = webhooks.find(session, webhook_id)
    if webhook is None:
        return _answer(404, "There is no such webhook, or it is off.")
    address = request.remote_addr or ""
    audit.act_as(audit.Actor(webhook.username, "webhook", address))
    came = Request(Headers(dict(request.headers)), body, address)
    settings = current_app.extensions["errand"].settings
    return _told(webhooks.receive(db.session(), settings, webhook, came))


def _told(answer: Answer) -> Response:
    if answer.status == 404:
        return _answer(404, "There is no such webhook, or it is off.")
    if answer.result_id is None and answer.status >= 400:
        told: dict[str, Any] = {"detail": answer.reason}
    else:
        told = {"result": answer.result_id and str(answer.result_id), "reason": answer.reason}
    if answer.errors is not None:
        told["errors"] = answer.errors
    response = make_response(jsonify(told), answer.status)
    if answer.status == 429:
        response.headers["Retry-After"] = str(WAIT_SECONDS)
    return response


def _body() -> bytes | None:
    """Return what was sent; None where that is too much."""
    request.max_content_length = MOST_BYTES
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        return None


def _sync_once(source: GitSource, digest: str) -> Response:
    """Ask for a sync; what comes a second time gets the same answer, and does nothing."""
    of_source = SourceDelivery.source_id == source.id
    known = select(SourceDelivery.sync_id).where(of_source, SourceDelivery.digest == digest)
    source_id = source.id
    sync_id = db.session.scalar(known)
    if sync_id is None:
        sync_id = ask(db.session(), source, via="webhook").id
        db.session.add(SourceDelivery(source_id=source_id, digest=digest, sync_id=sync_id))
        try:
            db.session.commit()
        except IntegrityError:
            # The same came twice at once.
            db.session.rollback()
            sync_id = db.session.scalar(known)
    return make_response(jsonify(sync=str(sync_id)), 202)


def _secret_of(source: GitSource | None) -> bytes:
    """Return what it signs with; b"": there is nothing, so nothing is right."""
    if source is None:
        return b""
    try:
        secrets = unlock(current_app.extensions["errand"].settings.secret_key, source.secrets)
    except CannotUnlock:
        current_app.logger.error("The webhook secret of %s cannot be read.", source.name)
        return b""
    return str(secrets.get("webhook_secret", "")).encode()


def _digest(secret: bytes, body: bytes) -> str | None:
    """Return the SHA-256 of what is signed rightly; None without that. As GitHub signs, or with a time."""
    headers = Headers(dict(request.headers))
    if "X-Errand-Timestamp" in headers:
        check = with_time
    else:
        check = in_one_header if "X-Errand-Signature" in headers else by_github
    try:
        return check(headers, body, [secret])
    except BadSignature:
        return None


def _payload(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _concerns(source: GitSource, payload: dict[str, Any]) -> bool:
    """Tell whether it is a push to what the source follows. What names no branch may be one."""
    if request.headers.get("X-GitHub-Event", "push") != "push" or payload.get("deleted") is True:
        return False
    ref = payload.get("ref")
    if ref is None:
        return True
    if source.ref:
        return ref in (f"refs/heads/{source.ref}", f"refs/tags/{source.ref}")
    return source.found_ref in ("", ref)


def _answer(status: int, sentence: str) -> Response:
    return make_response(jsonify(detail=sentence), status)
