"""The form of a webhook: what an admin types, and what is wrong with it."""

from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from jobs.errors import InvalidData
from store import audit
from store.models import JobRecord, User, Webhook
from store.permissions import allowed as may
from store.text import clean_text
from webapp.admin_forms import AdminForm, check_name, line
from webapp.auth import require, signed_in_user
from webapp.choosing_jobs import chosen_job
from webapp.database import db
from webapp.mapped_inputs import read_inputs, written
from webapp.webhook_access import require_send, settings
from worker import webhooks
from worker.asked import check_commit, chosen_queue
from worker.matching import MOST_RULES, BadRule, Rule, read_rule
from worker.references import OF_DELIVERY
from worker.signatures import FORMS

COMMITS: dict[str, bool | None] = {"": None, "yes": True, "no": False}
COMMIT_WORDS = {"": "As the job does", "yes": "Save changes", "no": "Dry run"}
LONGEST_RULES = 20_000


def blank() -> AdminForm:
    return AdminForm(
        {"enabled": True, "form": "generic", "commit": "", "username": signed_in_user().username}
    )


def of_webhook(webhook: Webhook) -> AdminForm:
    return AdminForm(
        {
            "name": webhook.name,
            "job": str(webhook.job_id or ""),
            "username": webhook.username,
            "form": webhook.form,
            "rules": "\n".join(map(str, webhooks.rules_of(webhook))),
            "data": written(webhook.data),
            "commit": next(word for word, commit in COMMITS.items() if commit is webhook.commit),
            "queue": webhook.queue,
            "enabled": webhook.enabled,
        }
    )


def sent() -> AdminForm:
    """Return what was sent, as it was typed."""
    plain = {name: line(request.form, name) for name in ("name", "username", "queue")}
    chosen = {name: request.form.get(name, "") for name in ("job", "form", "commit")}
    texts = {name: clean_text(request.form.get(name, "")) for name in ("rules", "data")}
    return AdminForm({**plain, **chosen, **texts, "enabled": bool(request.form.get("enabled"))})


def save(form: AdminForm, known: Webhook | None) -> tuple[Webhook, str] | None:
    """Have a webhook, a new one or `known`, be as a form says; return it, and the secret of a new one.

    None: it cannot, and the form says why.
    """
    before = _told(known) if known is not None else None
    webhook, secret = known or Webhook(), ""
    with db.session.no_autoflush:
        _apply(form, webhook)
    if not form.errors:
        if known is None:
            secret = webhooks.new_secret(settings(), webhook)
        _write(webhook, form, before)
    if form.errors:
        db.session.rollback()
        return None
    return webhook, secret


def renew_secret(webhook: Webhook) -> str:
    """Give a webhook a new secret and return it."""
    require_send(webhook)
    secret = webhooks.new_secret(settings(), webhook)
    audit.note(db.session(), "webhook.secret", webhook.name)
    db.session.commit()
    return secret


def remove(webhook: Webhook) -> None:
    require("delete", webhook)
    audit.note(db.session(), "webhook.delete", webhook.name, before=_told(webhook))
    db.session.delete(webhook)
    db.session.commit()


def _apply(form: AdminForm, webhook: Webhook) -> None:
    """Have a webhook be as a form says, or the form say what is wrong with it."""
    check_name(form, "name")
    if form.text("form") not in FORMS:
        form.refuse("form", "Choose one of these.")
    if form.text("commit") not in COMMITS:
        form.refuse("commit", "Choose one of these.")
    rules = _rules(form)
    job = chosen_job(form.text("job"))
    if job is None:
        form.refuse("job", "Choose one of these jobs.")
    user = _user(form, job)
    data = _of_job(form, job) if job is not None else {}
    if form.errors or job is None or user is None:
        return
    webhook.name, webhook.form, webhook.enabled = form.text("name"), form.text("form"), form.values["enabled"]
    webhook.job, webhook.user, webhook.username = job, user, user.username
    webhook.rules = [{"path": rule.path, "operator": rule.operator, "value": rule.value} for rule in rules]
    webhook.set_up_by_id = signed_in_user().id
    webhook.data, webhook.commit, webhook.queue = data, COMMITS[form.text("commit")], form.text("queue")


def _rules(form: AdminForm) -> list[Rule]:
    """Return the rules, one a line."""
    rules: list[Rule] = []
    lines = [(number, text) for number, text in enumerate(form.text("rules").splitlines(), 1) if text.strip()]
    if len(lines) > MOST_RULES or len(form.text("rules")) > LONGEST_RULES:
        form.refuse("rules", f"Write at most {MOST_RULES} rules.")
        return rules
    wrong: list[str] = []
    for number, text in lines:
        try:
            rules.append(read_rule(text))
        except BadRule as error:
            wrong.append(f"Line {number}: {error}")
    if wrong:
        form.refuse("rules", " ".join(wrong))
    return rules


def _user(form: AdminForm, job: JobRecord | None) -> User | None:
    """Return as whom it runs: oneself; a superuser may name somebody else."""
    me, name = signed_in_user(), form.text("username")
    if name != me.username and not me.superuser:
        form.refuse(
            "username", f"Only a superuser may have it run as somebody else. Enter {me.username}, or ask one."
        )
        return None
    user = db.session.scalars(select(User).where(User.username == name)).one_or_none()
    if user is None or not user.active:
        form.refuse("username", f"There is nobody called {name} who may sign in.")
    elif job is not None and not may(user, "run", job):
        form.refuse("username", f"{user.username} may not run {job.name}.")
    return user


def _of_job(form: AdminForm, job: JobRecord) -> dict[str, Any]:
    try:
        chosen_queue(job, form.text("queue"))
        check_commit(job, COMMITS.get(form.text("commit")))
    except InvalidData as refusal:
        errors: Any = refusal.errors
        for name, sentences in errors.items():
            form.refuse(name.removeprefix("_"), " ".join(sentences))
    return read_inputs(form, "data", job, OF_DELIVERY, keeper="a webhook")


def _write(webhook: Webhook, form: AdminForm, before: dict[str, Any] | None) -> None:
    db.session.add(webhook)
    act = "webhook.create" if before is None else "webhook.change"
    audit.note(db.session(), act, webhook.name, before=before, after=_told(webhook))
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a webhook of this name already.")


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "name": webhook.name,
        "job": webhook.job.class_path if webhook.job else None,
        "runs_as": webhook.username,
        "signed": webhook.form,
        "rules": [str(rule) for rule in webhooks.rules_of(webhook)],
        "inputs": webhook.data,
        "commit": webhook.commit,
        "queue": webhook.queue,
        "enabled": webhook.enabled,
    }
