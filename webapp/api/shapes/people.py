"""People, what they sign in with, and what they may do."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from store.audit import Verdict
from store.decisions import Decision, Grant
from store.models import ApiToken, AuditRecord, Group, Permission, User
from webapp.api.shapes import moment, time
from webapp.explaining import Explanation
from webapp.permission_form import grant_text


class TokenShape(TypedDict):
    """A token, without what it opens with."""

    id: int
    name: str
    #: How it begins.
    prefix: str
    read_only: bool
    #: Of jobs and their results only these, with `*` for anything; none: all.
    class_paths: list[str]
    created_at: str
    last_used_at: str | None
    expires_at: str | None


class NewTokenShape(TokenShape):
    """A token, with what it opens with: this one time."""

    token: str


class MeShape(TypedDict):
    """Who asks, and what this token lets them do."""

    id: int
    username: str
    display_name: str
    mail: str
    superuser: bool
    #: The one that was sent; null: it was asked at the portal's own machine.
    token: TokenShape | None
    #: What they may do to things of each kind, to some of them at least: {"job": ["view", "run"]}.
    may: dict[str, list[str]]


class UserShape(TypedDict):
    """Somebody with an account."""

    id: int
    username: str
    display_name: str
    mail: str
    active: bool
    superuser: bool
    #: By their names.
    groups: list[str]
    created_at: str
    last_sign_in_at: str | None


class GrantShape(TypedDict):
    """What a permission gives to somebody."""

    permission: str
    #: By which they have it; null: it is their own.
    group: str | None
    #: In words.
    text: str


class FullUserShape(UserShape):
    """Somebody with an account, and what they may do; a superuser may do everything."""

    grants: list[GrantShape]


class LinkShape(TypedDict):
    """A link that signs somebody in, once, within a day."""

    #: The address; null where it was sent by mail.
    url: str | None
    #: Where it was sent; null where the address is here.
    mail: str | None


class GroupShape(TypedDict):
    """People who may do the same."""

    id: int
    name: str
    description: str
    #: Whoever is active belongs to it, and nobody is listed.
    everyone: bool
    member_count: int
    created_at: str


class FullGroupShape(GroupShape):
    """A group with its members, and the names of its permissions."""

    members: list[str]
    permissions: list[str]


class PermissionShape(TypedDict):
    """What some people and groups may do, and to what."""

    id: int
    name: str
    description: str
    enabled: bool
    kind: str
    actions: list[str]
    #: [{key: value or list of values}]: one of them has to fit, with all its keys. None: whatever there is.
    constraints: list[dict[str, Any]]
    users: list[str]
    groups: list[str]
    #: In words.
    text: str
    created_at: str


class StepShape(GrantShape):
    """What one permission has to say to a question."""

    fits: bool
    #: In words; null where it fits.
    why_not: str | None


class WouldAllowShape(TypedDict):
    """A permission that would allow it, with the groups that have it."""

    permission: str
    groups: list[str]


class WhoMayShape(TypedDict):
    """Somebody who may do it, and why."""

    username: str
    reason: str


class ExplanationShape(TypedDict):
    """Whether somebody may do something, and why."""

    username: str
    allowed: bool
    reason: str
    steps: list[StepShape]
    would_allow: list[WouldAllowShape]
    #: Who can grant it.
    grantors: list[str]
    #: Who may do it, as far as they are named; none where you may not see people.
    people: list[WhoMayShape]
    people_count: int


class AuditShape(TypedDict):
    """One thing that somebody did, or tried."""

    id: int
    created_at: str
    #: A username; "" for nobody that is known.
    actor: str
    #: "page", "api" or "command".
    via: str
    address: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    #: Its place in the chain, and the digest over it and all before it; null: it waits to be chained.
    position: int | None
    digest: str | None


class VerdictShape(TypedDict):
    """What a look at the whole chain has found."""

    holds: bool
    sealed: int
    waiting: int
    #: The digest of the last record.
    head: str
    #: Sentences.
    problems: list[str]


def user(row: User, groups: list[str]) -> UserShape:
    return {
        "id": row.id,
        "username": row.username,
        "display_name": row.display_name,
        "mail": row.mail,
        "active": row.active,
        "superuser": row.superuser,
        "groups": groups,
        "created_at": moment(row.created_at),
        "last_sign_in_at": time(row.last_sign_in_at),
    }


def full_user(row: User, groups: list[str], grants: Sequence[Grant]) -> FullUserShape:
    return {**user(row, groups), "grants": [grant(each) for each in grants]}


def grant(given: Grant) -> GrantShape:
    return {"permission": given.name, "group": given.group or None, "text": given.text}


def group(row: Group, count: int) -> GroupShape:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "everyone": row.everyone,
        "member_count": count,
        "created_at": moment(row.created_at),
    }


def full_group(row: Group, permissions: Sequence[str]) -> FullGroupShape:
    members = [each.username for each in row.members]
    return {**group(row, len(members)), "members": members, "permissions": list(permissions)}


def permission(row: Permission) -> PermissionShape:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "kind": row.kind,
        "actions": list(row.actions),
        "constraints": list(row.constraints),
        "users": [each.username for each in row.users],
        "groups": [each.name for each in row.groups],
        "text": grant_text(row),
        "created_at": moment(row.created_at),
    }


def explanation(found: Explanation) -> ExplanationShape:
    decision: Decision = found.decision
    return {
        "username": found.person.username,
        "allowed": decision.allowed,
        "reason": decision.reason,
        "steps": [
            {**grant(step.grant), "fits": step.fits, "why_not": step.why_not or None}
            for step in decision.steps
        ],
        "would_allow": [{"permission": given.name, "groups": names} for given, names in found.would_allow],
        "grantors": found.grantors,
        "people": [{"username": each.username, "reason": why.reason} for each, why in found.people],
        "people_count": found.people_count,
    }


def audit_record(row: AuditRecord) -> AuditShape:
    return {
        "id": row.id,
        "created_at": moment(row.created_at),
        "actor": row.actor,
        "via": row.via,
        "address": row.address,
        "action": row.action,
        "subject": row.subject,
        "before": row.before,
        "after": row.after,
        "position": row.position,
        "digest": row.digest,
    }


def verdict(found: Verdict) -> VerdictShape:
    return {
        "holds": not found.problems,
        "sealed": found.sealed,
        "waiting": found.waiting,
        "head": found.head,
        "problems": found.problems,
    }


def token(row: ApiToken) -> TokenShape:
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "read_only": row.read_only,
        "class_paths": list(row.class_paths),
        "created_at": moment(row.created_at),
        "last_used_at": time(row.last_used_at),
        "expires_at": time(row.expires_at),
    }


def new_token(row: ApiToken, plain: str) -> NewTokenShape:
    return {**token(row), "token": plain}
