"""Groups of people, and what these or single people may do."""

from typing import Any

from sqlalchemy import Column, ForeignKey, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, Key, Name
from store.models.user import User


def _pairs(name: str, first: str, second: str) -> Table:
    """Return a table of pairs, which go with either of the two."""
    return Table(
        name,
        Base.metadata,
        *(
            Column(
                f"{table.rstrip('s')}_id",
                ForeignKey(f"{table}.id", ondelete="CASCADE"),
                primary_key=True,
                index=table == second,
            )
            for table in (first, second)
        ),
    )


group_members = _pairs("group_members", "groups", "users")
permission_users = _pairs("permission_users", "permissions", "users")
permission_groups = _pairs("permission_groups", "permissions", "groups")


class Group(Base):
    """People who may do the same."""

    __tablename__ = "groups"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[Name] = mapped_column(default="")
    #: Whoever is active belongs to it, and nobody is listed.
    everyone: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[CreatedAt]

    members: Mapped[list[User]] = relationship(secondary=group_members, order_by=User.username)


class Permission(Base):
    """What some people and groups may do, and to what (see store.decisions)."""

    __tablename__ = "permissions"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[Name] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    #: "job", "result", ...
    kind: Mapped[str] = mapped_column(String(20), index=True)
    #: "view", "run", ...
    actions: Mapped[list[Any]] = mapped_column(default=list)
    #: [{key: value or list of values}]: one of them has to fit, with all its keys. Empty: whatever there is of the kind.
    constraints: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[CreatedAt]

    users: Mapped[list[User]] = relationship(secondary=permission_users, order_by=User.username)
    groups: Mapped[list[Group]] = relationship(secondary=permission_groups, order_by=Group.name)
