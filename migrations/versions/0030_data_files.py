"""Data files, and what everybody may do with them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

GIVEN: list[tuple[str, list[str], list[dict[str, Any]]]] = [
    ("See all data files", ["view"], []),
    ("Change own data files", ["change", "delete"], [{"owner": "me"}]),
]

permissions = sa.table(
    "permissions",
    sa.column("id", sa.Integer()),
    sa.column("name", sa.String()),
    sa.column("description", sa.String()),
    sa.column("enabled", sa.Boolean()),
    sa.column("kind", sa.String()),
    sa.column("actions", sa.JSON()),
    sa.column("constraints", sa.JSON()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
groups = sa.table("groups", sa.column("id", sa.Integer()), sa.column("everyone", sa.Boolean()))
given_to = sa.table(
    "permission_groups", sa.column("permission_id", sa.Integer()), sa.column("group_id", sa.Integer())
)


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "data_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("username", sa.String(length=150), nullable=False),
        sa.Column("folder", sa.String(length=64), nullable=False),
        sa.Column("written_ns", sa.BigInteger(), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("updated_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_data_files_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_files")),
        sa.UniqueConstraint("name", name=op.f("uq_data_files_name")),
    )
    _give()


def _give() -> None:
    db = op.get_bind()
    everyone = db.scalars(sa.select(groups.c.id).where(groups.c.everyone)).all()
    for name, actions, constraints in GIVEN:
        if db.scalar(sa.select(permissions.c.id).where(permissions.c.name == name)) is not None:
            continue
        db.execute(
            sa.insert(permissions).values(
                name=name,
                description="",
                enabled=True,
                kind="datafile",
                actions=actions,
                constraints=constraints,
                created_at=datetime.now(UTC),
            )
        )
        key = db.scalar(sa.select(permissions.c.id).where(permissions.c.name == name))
        for group in everyone:
            db.execute(sa.insert(given_to).values(permission_id=key, group_id=group))


def downgrade() -> None:
    db = op.get_bind()
    ours = sa.select(permissions.c.id).where(permissions.c.kind == "datafile")
    # By name: while SQLite is migrated, nothing goes along with what names it.
    for table in (given_to, sa.table("permission_users", sa.column("permission_id", sa.Integer()))):
        db.execute(sa.delete(table).where(table.c.permission_id.in_(ours)))
    db.execute(sa.delete(permissions).where(permissions.c.kind == "datafile"))
    op.drop_table("data_files")
