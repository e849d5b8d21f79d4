"""People, what they sign in with, and what they may do."""

from typing_extensions import TypedDict

from store.models import ApiToken
from webapp.api.shapes import moment, time


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
    #: The one that was sent.
    token: TokenShape
    #: What they may do to things of each kind, to some of them at least: {"job": ["view", "run"]}.
    may: dict[str, list[str]]


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
