"""Webhooks of GitHub as bennettbot takes them: a merged pull request runs the job that deploys its project.

The general ones (see worker.webhooks) do more; this is for repositories whose settings need not be touched.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.audit import note
from store.models import Group, Identity, JobRecord, Namespace, User, group_members, now
from store.settings import Settings
from worker import rules, suppressions
from worker.asked import NotRunnable, require_runnable
from worker.commands import schedule_job
from worker.origins import Origin
from worker.payloads import facts_of_delivery
from worker.signatures import BadSignature, by_github

#: As whom its runs are asked for. Nobody signs in as that.
USERNAME = "bennettbot"
MEMBERS = "Slack members"

#: So that what is merged one after the other is deployed once.
DELAY_SECONDS = 60

_SHA1 = re.compile(r"sha1=([0-9a-f]{40})")


class UnknownProject(Exception):
    """No job deploys what was merged, as a sentence."""


def check(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """Raise BadSignature unless GitHub signed the body: X-Hub-Signature-256 where there is one, else X-Hub-Signature."""
    key = secret.encode()
    if "X-Hub-Signature-256" in headers:
        by_github(headers, body, [key])
        return
    given = _SHA1.fullmatch(headers.get("X-Hub-Signature", ""))
    if given is None:
        raise BadSignature("There is no X-Hub-Signature of the form sha1=<40 hex digits>.")
    right = hmac.digest(key or b"\0", body, hashlib.sha1).hex()
    if not (hmac.compare_digest(right, given[1]) and key):
        raise BadSignature("The signature is wrong: it was made with another secret, or of another body.")


def receive(db: Session, settings: Settings, project: str, headers: Mapping[str, str], body: bytes) -> None:
    """Have a merged pull request deploy its project; all else is left alone. The signature was checked. Commits `db`.

    Raises BadPayload, UnknownProject, and as `worker.submit` does.
    """
    if not _is_merged(facts_of_delivery(headers, body)["payload"]):
        return
    found = _job_of(db, project)
    if found is None:
        raise UnknownProject(f"Unknown project: {project}")
    job, namespace = found
    require_runnable(job)
    name = f"GitHub: {project}"
    result, _ = schedule_job(
        db,
        settings,
        job,
        {},
        _account(db),
        channel=namespace.default_channel,
        delay_seconds=DELAY_SECONDS,
        # The body, as nothing else is signed: whoever sends it once more, under whatever id, deploys nothing.
        idempotency_key=f"github {project[:100]} {hashlib.sha256(body).hexdigest()}",
        origin=Origin("webhook", name=name),
    )
    if not result.repeated or result.joined:
        _tell_of_suppression(db, job, namespace)


def _is_merged(payload: Any) -> bool:
    pull = payload.get("pull_request") if isinstance(payload, dict) else None
    return isinstance(pull, dict) and payload.get("action") == "closed" and pull.get("merged") is True


def _job_of(db: Session, project: str) -> tuple[JobRecord, Namespace] | None:
    query = (
        select(JobRecord, Namespace)
        .join(Namespace, (Namespace.source == JobRecord.source) & (Namespace.module == JobRecord.module))
        .where(Namespace.name == project, JobRecord.class_name == f"{project}_deploy", JobRecord.installed)
        .order_by(JobRecord.class_path)
        .limit(1)
    )
    row = db.execute(query).first()
    return None if row is None else (row[0], row[1])


def _tell_of_suppression(db: Session, job: JobRecord, namespace: Namespace) -> None:
    moment = now()
    holding = suppressions.active(db, job=job, at=moment)
    if not holding or not namespace.default_channel:
        return
    from worker.slack.outbox import say

    until = rules.clock_time(max(each.ends_at for each in holding), moment)
    say(
        db,
        namespace.default_channel,
        f"PR merged, not deploying because deploys suppressed until {until}",
    )
    db.commit()


# --- as whom -----------------------------------------------------------------------------------------------------


def _account(db: Session) -> User:
    """Return the account that GitHub's webhooks act as, made when it is first needed."""
    query = select(User).where(User.username == USERNAME)
    user = db.scalars(query).one_or_none()
    if user is not None:
        return _nobodys(db, user)
    user = User(username=USERNAME, display_name="bennettbot", active=True, superuser=False)
    db.add(user)
    try:
        db.flush()
    except IntegrityError:
        # Another process was faster.
        db.rollback()
        return db.scalars(query).one()
    members = db.scalar(select(Group.id).where(Group.name == MEMBERS))
    if members is not None:
        db.execute(group_members.insert().values(group_id=members, user_id=user.id))
    note(db, "user.create", USERNAME, actor=USERNAME, after={"by": "webhooks of GitHub"})
    db.commit()
    return user


def _nobodys(db: Session, user: User) -> User:
    """Return the account, unless somebody can sign in as that, or it may do everything: then it is not the one meant."""
    identity = db.scalar(select(Identity.id).where(Identity.user_id == user.id).limit(1))
    if user.superuser or user.password_hash or identity is not None:
        raise NotRunnable(
            f"The account {USERNAME} is a person's. Webhooks of GitHub need it for themselves: an administrator has to "
            "give that person another one."
        )
    return user
