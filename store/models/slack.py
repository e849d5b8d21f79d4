"""Slack: how its people and commands are known here, and who waits there for the answer of a run."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, Key, LongText
from store.models.result import JobResult
from store.models.user import User

#: What is still to be said: few rows of many.
UNANSWERED = text("state = 'waiting'")


class Namespace(Base):
    """A group of commands, as job files describe it; one that none describes is there by its commands alone."""

    __tablename__ = "namespaces"
    __table_args__ = (UniqueConstraint("source", "module", "name"),)

    id: Mapped[Key]
    source: Mapped[str] = mapped_column(String(100))
    module: Mapped[str] = mapped_column(String(100))
    #: The first word of its commands.
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[LongText] = mapped_column(default="")
    #: Whether its jobs are (see JobRecord.restricted).
    restricted: Mapped[bool] = mapped_column(default=False)
    #: Where is said what nobody in Slack has asked for; empty: nowhere.
    default_channel: Mapped[str] = mapped_column(String(100), default="")


class SlackRequest(Base):
    """Where in Slack the answer to a run goes, and how far that is; or something that is said there of no run."""

    __tablename__ = "slack_requests"
    __table_args__ = (
        Index("ix_slack_requests_unanswered", "id", sqlite_where=UNANSWERED, postgresql_where=UNANSWERED),
    )

    id: Mapped[Key]
    #: None: all that is to be said is `text`.
    result_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), unique=True
    )
    text: Mapped[LongText] = mapped_column(default="")
    #: The id or the name of a channel.
    channel: Mapped[str] = mapped_column(String(100))
    #: The message whose thread the answer belongs to; None: it goes to the channel.
    thread_ts: Mapped[str | None] = mapped_column(String(40))
    #: The message that asked for the run; None: none did.
    message_ts: Mapped[str | None] = mapped_column(String(40))
    #: The id of whoever asked; empty: nobody in Slack did.
    slack_user: Mapped[str] = mapped_column(String(40), default="")
    #: It came as a direct message.
    is_im: Mapped[bool] = mapped_column(default=False)
    #: "waiting" until all is said that there is to say, then "answered", or "failed" if Slack would not take it.
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    #: What has been said already, so that nothing is said twice (see worker.slack.steps): {"started": ts, "reply": ts, ...},
    #: False where Slack would not take it; and "channel", the id of the channel.
    said: Mapped[dict[str, Any]] = mapped_column(default=dict)
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    #: Why Slack did not take it, in a sentence.
    problem: Mapped[LongText] = mapped_column(default="")
    created_at: Mapped[CreatedAt]
    answered_at: Mapped[datetime | None]

    result: Mapped[JobResult | None] = relationship(lazy="raise")


class SlackCode(Base):
    """What somebody sends the bot to say which account is theirs; it works once. Here is only its hash."""

    __tablename__ = "slack_codes"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="raise")
