"""People and what they sign in with."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, Key, Name


class User(Base):
    __tablename__ = "users"

    id: Mapped[Key]
    username: Mapped[str] = mapped_column(String(150), unique=True)
    display_name: Mapped[Name] = mapped_column(default="")
    #: Argon2id; None: signs in by link only.
    password_hash: Mapped[str | None] = mapped_column(String(255))
    superuser: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[CreatedAt]
    last_sign_in_at: Mapped[datetime | None]
    #: The next who comes by single sign-on under this very name becomes this user, once.
    oidc_may_link: Mapped[bool] = mapped_column(default=False)
    #: Where messages go; empty: nowhere.
    mail: Mapped[str] = mapped_column(String(254), default="")
    #: {"mail": [on what], "browser": [...]} for what concerns them (see store.notices); None: they have not said.
    notices: Mapped[dict[str, Any] | None]

    @property
    def shown_name(self) -> str:
        return self.display_name or self.username


class UserSession(Base):
    """One browser that is signed in. The cookie holds a random token; here is only its hash."""

    __tablename__ = "user_sessions"

    id: Mapped[Key]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    #: The token before that, while the browser may not have got the new one yet.
    previous_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    #: When it got its token; long ago: it gets another one with its next page.
    rotated_at: Mapped[datetime] = mapped_column(default=now)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[CreatedAt]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    #: By which browser, and from where, it was begun.
    agent: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(64), default="")

    user: Mapped[User] = relationship()


class ApiToken(Base):
    __tablename__ = "api_tokens"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[Name] = mapped_column(default="")
    #: The first characters, so that people can tell their tokens apart.
    prefix: Mapped[str] = mapped_column(String(16))
    #: SHA-256: the token itself is random enough that nothing slower is needed.
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    #: It may look at what its user may, and do nothing.
    read_only: Mapped[bool] = mapped_column(default=False)
    #: Of jobs and results only these class paths, with `*` for anything; empty: all.
    class_paths: Mapped[list[Any]] = mapped_column(default=list)

    user: Mapped[User] = relationship()


class SignInLink(Base):
    """A link that signs its user in, once."""

    __tablename__ = "sign_in_links"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class SignInFailure(Base):
    """Wrong passwords for one name from one address, one after the other."""

    __tablename__ = "sign_in_failures"

    id: Mapped[Key]
    #: SHA-256 of both: what was typed as a name may have been a password.
    key: Mapped[str] = mapped_column(String(64), unique=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    #: Until then nothing is even compared.
    locked_until: Mapped[datetime | None]
