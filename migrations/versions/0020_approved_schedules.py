"""Approvals of schedules, and what everybody may do with schedules."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

GIVEN = [
    ("See all schedules", ["view"], []),
    ("Change own schedules", ["change", "delete"], [{"owner": "me"}]),
]

OPEN = sa.text("decision IS NULL")

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
    with op.batch_alter_table("approvals") as table:
        table.alter_column("result_id", existing_type=sa.Uuid(), nullable=True)
        table.add_column(sa.Column("schedule_id", sa.Uuid(), nullable=True))
        table.create_foreign_key(
            op.f("fk_approvals_schedule_id_schedules"),
            "schedules",
            ["schedule_id"],
            ["id"],
            ondelete="CASCADE",
        )
        table.create_index(op.f("ix_approvals_schedule_id"), ["schedule_id"])
    op.create_index("ix_approvals_open", "approvals", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)
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
                kind="schedule",
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
    ours = sa.select(permissions.c.id).where(permissions.c.kind == "schedule")
    # By name: while SQLite is migrated, nothing goes along with what names it.
    for table in (given_to, sa.table("permission_users", sa.column("permission_id", sa.Integer()))):
        db.execute(sa.delete(table).where(table.c.permission_id.in_(ours)))
    db.execute(sa.delete(permissions).where(permissions.c.kind == "schedule"))
    db.execute(sa.text("DELETE FROM approvals WHERE result_id IS NULL"))
    op.drop_index("ix_approvals_open", table_name="approvals")
    with op.batch_alter_table("approvals") as table:
        table.drop_index(op.f("ix_approvals_schedule_id"))
        table.drop_constraint(op.f("fk_approvals_schedule_id_schedules"), type_="foreignkey")
        table.drop_column("schedule_id")
        table.alter_column("result_id", existing_type=sa.Uuid(), nullable=False)
