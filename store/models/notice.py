"""Who is told about what, by which way, and what became of it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, Key, LongText, Name
from store.models.entry import BigKey
from store.models.user import User

#: What is still to be sent by somebody, and what a browser is still to be shown: few rows of many.
DUE = text("state IN ('waiting', 'failed') AND via <> 'browser'")
UNSEEN = text("state = 'waiting' AND via = 'browser'")


class NoticeRule(Base):
    """One person's wish to be told about a job, a schedule or one run; the latter goes when it has been granted."""

    __tablename__ = "notice_rules"
    __table_args__ = (
        UniqueConstraint("user_id", "about", "subject"),
        Index("ix_notice_rules_about_subject", "about", "subject"),
    )

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    #: "job", "schedule" or "run".
    about: Mapped[str] = mapped_column(String(10))
    #: The class path of the job, or the id of the other.
    subject: Mapped[str] = mapped_column(String(400))
    #: What that was called when the wish was made.
    name: Mapped[Name] = mapped_column(default="")
    #: "mail", "browser".
    ways: Mapped[list[Any]] = mapped_column(default=list)
    #: On what (see store.notices).
    words: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship(lazy="raise")


class Channel(Base):
    """A place outside that is told: a channel of Slack, an address of another program, or people by a mail server."""

    __tablename__ = "channels"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: "slack", "webhook" or "mail".
    kind: Mapped[str] = mapped_column(String(10))
    #: Where it is, as far as it may be shown: a host, or a channel's name.
    place: Mapped[Name] = mapped_column(default="")
    #: Its address and its secret, which nobody may read (see store.lockbox).
    box: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Of mail: whom it comes from, and who gets it.
    sender: Mapped[Name] = mapped_column(default="")
    receivers: Mapped[list[Any]] = mapped_column(default=list)
    #: About which jobs: class paths with `*` for anything, "dialect:bots" for all of one; empty: all.
    class_paths: Mapped[list[Any]] = mapped_column(default=list)
    words: Mapped[list[Any]] = mapped_column(default=list)
    #: Whose rights count: it is told nothing that this person may not see, and nothing once that one is gone.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[CreatedAt]

    user: Mapped[User | None] = relationship(lazy="raise")


class Delivery(Base):
    """One message for one receiver, and what became of it. There is one for each event and receiver, ever."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_key", "target"),
        Index("ix_deliveries_due", "next_try_at", sqlite_where=DUE, postgresql_where=DUE),
        Index("ix_deliveries_unseen", "user_id", sqlite_where=UNSEEN, postgresql_where=UNSEEN),
        Index("ix_deliveries_user_id_id", "user_id", "id"),
        Index("ix_deliveries_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: What its message says of itself, so that a receiver who gets it twice can tell.
    mark: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    #: What it is about: "ended", "asked", ... (see store.notices), and which one of them.
    event: Mapped[str] = mapped_column(String(20))
    event_key: Mapped[str] = mapped_column(String(100))
    #: Who gets it by which way, in short: "mail:7", "channel:2".
    target: Mapped[str] = mapped_column(String(50))
    #: "browser", "mail", "slack" or "webhook".
    via: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id", ondelete="SET NULL"), index=True)
    #: The receiver's address or name.
    receiver: Mapped[str] = mapped_column(String(320))
    title: Mapped[str] = mapped_column(String(300))
    #: What there is to say (see worker.notices).
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: What nobody may read, such as a link that signs in; it goes when the message has been sent.
    box: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    #: The run it is about.
    result_id: Mapped[uuid.UUID | None]
    #: "waiting", "failed" (it is tried again), "sent" or "gave_up".
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    #: Counts the claims: who was overtaken writes nothing any more.
    attempts: Mapped[int] = mapped_column(default=0)
    #: Of those the ones since somebody asked to send it again.
    tries: Mapped[int] = mapped_column(default=0)
    #: When it is next to be taken up; while it is being sent, when its sender is taken for dead.
    next_try_at: Mapped[datetime] = mapped_column(default=now)
    last_answer: Mapped[LongText] = mapped_column(default="")
    #: [{"at", "answer"}, ...], the latest last.
    answers: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime | None]

    channel: Mapped[Channel | None] = relationship(lazy="raise")
