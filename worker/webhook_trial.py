"""What a webhook would do about a request, step by step, without doing it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from jobs.kinds import secret_names
from store.models import JobRecord, User, Webhook
from store.permissions import decision
from store.settings import Settings
from worker.asked import check_commit, check_inputs, chosen_queue, readable
from worker.payloads import BadPayload, Headers, facts_of_delivery
from worker.questions import Questions
from worker.references import BadReference, resolve
from worker.refusals import REFUSALS, NoRun, sentence
from worker.rights import require_inputs
from worker.webhooks import as_whom, is_ping, rules_of, runs_what


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to be so."""

    what: str
    #: What was found, in a sentence.
    found: str
    fits: bool = True
    #: {variable: value}, of the step that takes them out of the request; secrets are left out.
    inputs: Mapping[str, Any] | None = None


def try_out(db: Session, settings: Settings, webhook: Webhook, headers: Headers, body: bytes) -> list[Step]:
    """Return the steps: only where all fit there would be a run. May commit `db`, in which nothing was changed."""
    return list(_steps(db, settings, webhook, headers, body))


def _steps(
    db: Session, settings: Settings, webhook: Webhook, headers: Headers, body: bytes
) -> Iterator[Step]:
    if not webhook.enabled:
        yield Step("On", "The webhook is off.", fits=False)
    if is_ping(webhook, headers):
        yield Step("Event", "It is a ping, which runs nothing.", fits=False)
    try:
        facts = facts_of_delivery(headers, body)
    except BadPayload as error:
        yield Step("Body", str(error), fits=False)
        return
    yield Step("Body", "It is JSON." if body.strip() else "It is empty.")
    for rule in rules_of(webhook):
        why_not = rule.why_not(facts)
        yield Step(f"Rule {rule}", why_not or "It holds.", fits=not why_not)
    try:
        inputs = resolve(webhook.data, facts)
    except BadReference as error:
        yield Step("Inputs", str(error), fits=False)
        return
    yield from _of_run(db, settings, webhook, inputs)


def _of_run(db: Session, settings: Settings, webhook: Webhook, inputs: Mapping[str, Any]) -> Iterator[Step]:
    try:
        job, user = runs_what(db, webhook)
    except REFUSALS as refusal:
        yield Step("Job", sentence(refusal, as_whom(webhook)), fits=False)
        return
    hidden = set(inputs) if job.has_sensitive_variables else set(secret_names(job.variables))
    shown = {name: value for name, value in inputs.items() if name not in hidden}
    yield Step("Inputs", "They are taken out of the request." if inputs else "None.", inputs=shown)
    decided = decision(user, "run", job)
    yield Step("Permission", decided.reason, fits=decided.allowed)
    problem = _problem(db, settings, webhook, job, user, inputs)
    yield Step("Form", problem or f"{job.name} accepts these inputs.", fits=not problem)
    yield Step("Approval", "It would wait for one." if job.approval_required else "It needs none.")


def _problem(
    db: Session,
    settings: Settings,
    webhook: Webhook,
    job: JobRecord,
    user: User,
    inputs: Mapping[str, Any],
) -> str:
    """Return what is wrong with the inputs, as `worker.submit` would find it; "" where nothing is."""
    try:
        if job.receives:
            raise NoRun(f"{job.name} is run by hooks or buttons alone.")
        check_commit(job, webhook.commit if job.asks_commit else None)
        queue = chosen_queue(job, webhook.queue)
        questions = Questions(settings, job, username=user.username)
        data = check_inputs(db, settings, job, inputs, form=False, questions=questions, sealed=(), user=user)
        require_inputs(user, job, readable(job, data), queue)
    except REFUSALS as refusal:
        return sentence(refusal, as_whom(webhook))
    return ""
