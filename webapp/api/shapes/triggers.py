"""What makes runs when something happens: hooks, chains, buttons, webhooks."""

from typing import Any

from typing_extensions import TypedDict

from store.models import Button, Chain, Hook, JobRecord, Webhook, WebhookDelivery
from store.text import clean_text
from webapp.api.shapes import moment, text_id, time
from webapp.webhook_access import address_of
from worker import webhooks
from worker.webhook_log import Answer
from worker.webhook_trial import Step


class HookShape(TypedDict):
    """What runs a job when an object changes."""

    id: str
    url: str
    name: str
    job: str | None
    class_path: str | None
    object_types: list[str]
    #: "create", "update", "delete".
    actions: list[str]
    enabled: bool
    #: Earlier changes do not count.
    since: str
    #: Why a change ran nothing, the last time that it did not.
    last_error: str | None
    last_error_at: str | None
    created_at: str


class ChainShape(TypedDict):
    """What runs a job when a run of another one has ended."""

    id: str
    url: str
    name: str
    job: str | None
    class_path: str | None
    #: "completed", "failed" or "ended".
    on: str
    next_job: str | None
    next_class_path: str | None
    #: {variable of the next job: a value, or a text with references to the first run}
    data: dict[str, Any]
    enabled: bool
    #: Why an end ran nothing, the last time that it did not.
    last_error: str | None
    last_error_at: str | None
    created_at: str


class ButtonShape(TypedDict):
    """What runs a job from the page of an object."""

    id: str
    url: str
    name: str
    job: str | None
    class_path: str | None
    object_types: list[str]
    #: What stands on it: a template.
    text: str
    #: The lighter ones come first.
    weight: int
    #: The menu that it is in; empty: it stands alone.
    group_name: str
    #: "plain", "go" or "bad".
    style: str
    confirm: bool
    enabled: bool
    created_at: str


class WebhookShape(TypedDict):
    """What runs a job when another program asks for it with a signed request."""

    id: str
    url: str
    #: Where to send requests.
    address: str
    name: str
    job: str | None
    class_path: str | None
    #: As whom it runs.
    user: str
    #: How requests are signed: "generic" or "github".
    form: str
    #: "payload.ref equals refs/heads/main", ...
    rules: list[str]
    #: {variable of the job: a value, or a text with references to the request}
    data: dict[str, Any]
    #: Null: as the job does.
    commit: bool | None
    #: Empty: the first of the job's own.
    queue: str
    enabled: bool
    #: Until when the secret before this one is right, too.
    before_until: str | None
    unsigned_count: int
    unsigned_at: str | None
    created_at: str


class SecretWebhookShape(WebhookShape):
    """A webhook whose secret is new."""

    #: Shown this one time.
    secret: str


class DeliveryLine(TypedDict):
    """A request that came."""

    id: int
    created_at: str
    address: str
    #: What the sender calls it.
    name: str
    #: "accepted", "unmatched", "refused", "repeated" or "unsigned".
    outcome: str
    #: What was answered.
    status: int
    reason: str
    result: str | None
    #: Who had it done once more.
    sent_by: str | None
    #: Bytes of its body.
    size: int


class WebhookDeliveryShape(DeliveryLine):
    """A request that came, with what was kept of it."""

    headers: dict[str, Any]
    #: Null: it was not kept.
    body: str | None
    #: Why it cannot be sent again.
    why_not_again: str | None


class WebhookAnswerShape(TypedDict):
    """What became of a request."""

    outcome: str
    status: int
    reason: str
    result: str | None


class WebhookStepShape(TypedDict):
    """One thing that has to be so."""

    what: str
    found: str
    fits: bool
    #: What is taken out of the request; null: this step is about something else.
    inputs: dict[str, Any] | None


class TrialShape(TypedDict):
    """What would become of a request: only where all fits there would be a run."""

    fits: bool
    steps: list[WebhookStepShape]


def hook(row: Hook) -> HookShape:
    return {
        "id": str(row.id),
        "url": f"/admin/hooks/{row.id}",
        "name": row.name,
        "job": text_id(row.job_id),
        "class_path": _class_path(row.job),
        "object_types": row.object_types,
        "actions": row.actions,
        "enabled": row.enabled,
        "since": moment(row.since),
        "last_error": row.last_error or None,
        "last_error_at": time(row.last_error_at),
        "created_at": moment(row.created_at),
    }


def chain(row: Chain) -> ChainShape:
    return {
        "id": str(row.id),
        "url": f"/admin/chains/{row.id}",
        "name": row.name,
        "job": text_id(row.job_id),
        "class_path": _class_path(row.job),
        "on": row.on,
        "next_job": text_id(row.next_job_id),
        "next_class_path": _class_path(row.next_job),
        "data": row.data,
        "enabled": row.enabled,
        "last_error": row.last_error or None,
        "last_error_at": time(row.last_error_at),
        "created_at": moment(row.created_at),
    }


def button(row: Button) -> ButtonShape:
    return {
        "id": str(row.id),
        "url": f"/admin/buttons/{row.id}",
        "name": row.name,
        "job": text_id(row.job_id),
        "class_path": _class_path(row.job),
        "object_types": row.object_types,
        "text": row.text,
        "weight": row.weight,
        "group_name": row.group_name,
        "style": row.style,
        "confirm": row.confirm,
        "enabled": row.enabled,
        "created_at": moment(row.created_at),
    }


def webhook(row: Webhook) -> WebhookShape:
    return {
        "id": str(row.id),
        "url": f"/admin/webhooks/{row.id}",
        "address": address_of(row),
        "name": row.name,
        "job": text_id(row.job_id),
        "class_path": _class_path(row.job),
        "user": row.username,
        "form": row.form,
        "rules": [str(rule) for rule in webhooks.rules_of(row)],
        "data": row.data,
        "commit": row.commit,
        "queue": row.queue,
        "enabled": row.enabled,
        "before_until": time(row.before_until) if row.knows_before else None,
        "unsigned_count": row.unsigned_count,
        "unsigned_at": time(row.unsigned_at),
        "created_at": moment(row.created_at),
    }


def secret_webhook(row: Webhook, secret: str) -> SecretWebhookShape:
    return {**webhook(row), "secret": secret}


def delivery_line(row: WebhookDelivery) -> DeliveryLine:
    return {
        "id": row.id,
        "created_at": moment(row.created_at),
        "address": row.address,
        "name": row.name,
        "outcome": row.outcome,
        "status": row.status,
        "reason": row.reason,
        "result": text_id(row.result_id),
        "sent_by": row.sent_by or None,
        "size": row.body_bytes,
    }


def delivery(row: WebhookDelivery, of: Webhook) -> WebhookDeliveryShape:
    return {
        **delivery_line(row),
        "headers": row.headers,
        "body": None if row.body is None else clean_text(row.body.decode("utf-8", "replace")),
        "why_not_again": webhooks.why_not_again(of, row) or None,
    }


def answer(made: Answer) -> WebhookAnswerShape:
    return {
        "outcome": made.outcome,
        "status": made.status,
        "reason": made.reason,
        "result": text_id(made.result_id),
    }


def trial(steps: list[Step]) -> TrialShape:
    return {"fits": all(step.fits for step in steps), "steps": [_step(step) for step in steps]}


def _step(step: Step) -> WebhookStepShape:
    inputs = None if step.inputs is None else dict(step.inputs)
    return {"what": step.what, "found": step.found, "fits": step.fits, "inputs": inputs}


def _class_path(job: JobRecord | None) -> str | None:
    return job.class_path if job is not None else None
