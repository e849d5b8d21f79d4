"""Who people are elsewhere: at what signs them in here, and in Slack, where a bot acts for them."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, Key
from store.models.user import User

LONGEST_SUBJECT = 255


#: What the issuer of somebody in Slack begins with; the id of the workspace follows.
SLACK = "slack:"


class Identity(Base):
    """Somebody at a provider of single sign-on, or in Slack. No name or mail address is: those may be others' one day."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))
    #: The ids of the groups that it said at the last sign-in: what it gave it can take, and nothing else.
    group_ids: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()

    @property
    def host(self) -> str:
        return "Slack" if self.is_slack else urlsplit(self.issuer).netloc

    @property
    def is_slack(self) -> bool:
        return self.issuer.startswith(SLACK)
