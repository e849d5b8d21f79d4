"""Webhooks: other programs say that something happened, and prove who they are by signing it."""

import hashlib
import hmac
import json
import re
import time
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import RequestEntityTooLarge

from store.lockbox import CannotUnlock, unlock
from store.models import GitSource, SourceDelivery
from store.text import clean_text
from webapp.auth import for_programs
from webapp.database import db
from worker.syncs import ask

blueprint = Blueprint("webhooks", __name__, url_prefix="/hooks")

MOST_BYTES = 1024 * 1024

#: How old, or ahead of our clock, a signature with a time may be.
WINDOW_SECONDS = 300

_OWN_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


@blueprint.post("/sources/<slug>")
@for_programs
def sync_source(slug: str) -> Response:
    """Look at a git repository now: something was pushed to it.

    202 with the sync; 204 where it does not concern what we follow; 401 without a right signature; 413.
    """
    request.max_content_length = MOST_BYTES
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        return _answer(413, f"Send at most {MOST_BYTES >> 20} MB.")
    source = db.session.scalars(select(GitSource).where(GitSource.slug == clean_text(slug))).one_or_none()
    signed = _what_is_signed(_secret_of(source), body)
    # The same answer for what is not there: nobody may find out names by trying.
    if source is None or signed is None:
        return _answer(401, "The signature is missing, wrong or too old.")
    payload = _payload(body)
    if payload is None:
        return _answer(400, "Send a JSON object.")
    if not source.enabled or not _concerns(source, payload):
        return make_response("", 204)
    return _sync_once(source, hashlib.sha256(signed).hexdigest())


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


def _what_is_signed(secret: bytes, body: bytes) -> bytes | None:
    """Return what a right signature stands for; None without one. As GitHub signs, or with a time."""
    own = _OWN_SIGNATURE.fullmatch(request.headers.get("X-Errand-Signature", ""))
    if own is not None:
        signed = own[1].encode() + b"." + body
        given, in_time = own[2], abs(time.time() - int(own[1])) <= WINDOW_SECONDS
    else:
        signed, in_time = body, True
        given = request.headers.get("X-Hub-Signature-256", "").removeprefix("sha256=")
    right = hmac.digest(secret or b"\0", signed, "sha256").hex()
    fits = hmac.compare_digest(right.encode(), given.encode("utf-8", "replace"))
    return signed if secret and fits and in_time else None


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
    return make_response(jsonify(error=sentence), status)
