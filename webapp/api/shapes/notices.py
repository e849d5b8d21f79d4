"""What people and places outside are told, and what became of each message."""

from typing import Any

from typing_extensions import TypedDict

from store.models import Channel, Delivery, NoticeRule
from webapp.api.shapes import moment, text_id, time


class ChannelShape(TypedDict):
    """A place outside that is told. Its address and its secret never go out."""

    id: int
    name: str
    #: "slack", "webhook" or "mail".
    kind: str
    #: Where it is, as far as that may be shown: a host, or a channel's name.
    place: str
    #: Of mail: whom it comes from, and who gets it.
    sender: str
    receivers: list[str]
    enabled: bool
    #: About which jobs, with `*` for anything; none: all.
    class_paths: list[str]
    #: On what.
    words: list[str]
    #: Whose rights count; null: that person is gone, and it is told nothing.
    username: str | None
    created_at: str


class NewChannelShape(ChannelShape):
    """A channel, with the secret that its messages are signed with: this one time."""

    #: Null: it has none.
    secret: str | None


class AnswerShape(TypedDict):
    """What came of one try."""

    at: str
    answer: str


class DeliveryShape(TypedDict):
    """One message for one receiver, and what became of it."""

    id: int
    #: What the message says of itself.
    mark: str
    event: str
    title: str
    #: "browser", "mail", "slack" or "webhook".
    via: str
    receiver: str
    #: "waiting", "failed" (it is tried again), "sent" or "gave_up".
    state: str
    attempts: int
    answers: list[AnswerShape]
    #: The run it is about.
    result: str | None
    created_at: str
    sent_at: str | None
    next_try_at: str | None


class NoticesShape(TypedDict):
    """What one is told of what concerns oneself."""

    #: Where messages go; "": nowhere.
    mail: str
    #: {way: on what}.
    ways: dict[str, list[str]]


class RuleShape(TypedDict):
    """A wish to be told about a job, a schedule or a run."""

    id: int
    #: "job", "schedule" or "run".
    about: str
    #: The class path of the job, or the id of the other.
    subject: str
    name: str
    ways: list[str]
    words: list[str]
    created_at: str


def channel(row: Channel, username: str | None) -> ChannelShape:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "place": row.place,
        "sender": row.sender,
        "receivers": list(row.receivers),
        "enabled": row.enabled,
        "class_paths": list(row.class_paths),
        "words": list(row.words),
        "username": username,
        "created_at": moment(row.created_at),
    }


def new_channel(row: Channel, username: str | None, secret: str) -> NewChannelShape:
    return {**channel(row, username), "secret": secret or None}


def delivery(row: Delivery) -> DeliveryShape:
    is_due = row.state in ("waiting", "failed") and row.via != "browser"
    answers: list[Any] = row.answers
    return {
        "id": row.id,
        "mark": str(row.mark),
        "event": row.event,
        "title": row.title,
        "via": row.via,
        "receiver": row.receiver,
        "state": row.state,
        "attempts": row.attempts,
        "answers": [{"at": each["at"], "answer": each["answer"]} for each in answers],
        "result": text_id(row.result_id),
        "created_at": moment(row.created_at),
        "sent_at": time(row.sent_at),
        "next_try_at": time(row.next_try_at) if is_due else None,
    }


def rule(row: NoticeRule) -> RuleShape:
    return {
        "id": row.id,
        "about": row.about,
        "subject": row.subject,
        "name": row.name,
        "ways": list(row.ways),
        "words": list(row.words),
        "created_at": moment(row.created_at),
    }
