"""Groups of people, and permissions; what everybody could do before is the first of these."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

EVERYONE: list[tuple[str, str, list[str], list[dict[str, Any]]]] = [
    ("Run enabled jobs", "job", ["view", "run"], [{"enabled": True}]),
    ("See all results", "result", ["view"], []),
    ("Cancel own runs", "result", ["change"], [{"owner": "me"}]),
    ("See all objects", "object", ["view"], []),
    ("See workers and queues", "worker", ["view"], []),
]


def upgrade() -> None:
    groups = op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("everyone", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
    )
    permissions = op.create_table(
        "permissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("actions", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("constraints", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permissions")),
        sa.UniqueConstraint("name", name=op.f("uq_permissions_name")),
    )
    op.create_index(op.f("ix_permissions_kind"), "permissions", ["kind"])
    _pairs("group_members", "groups", "users")
    _pairs("permission_users", "permissions", "users")
    given = _pairs("permission_groups", "permissions", "groups")

    moment = datetime.now(UTC)
    op.bulk_insert(
        groups,
        [
            {
                "id": 1,
                "name": "Everyone",
                "description": "All who have an account.",
                "everyone": True,
                "created_at": moment,
            }
        ],
    )
    op.bulk_insert(
        permissions,
        [
            {
                "id": number,
                "name": name,
                "description": "",
                "enabled": True,
                "kind": kind,
                "actions": actions,
                "constraints": constraints,
                "created_at": moment,
            }
            for number, (name, kind, actions, constraints) in enumerate(EVERYONE, 1)
        ],
    )
    op.bulk_insert(
        given, [{"permission_id": number, "group_id": 1} for number in range(1, len(EVERYONE) + 1)]
    )
    if op.get_bind().dialect.name == "postgresql":
        # The keys above were given, not taken from the sequences.
        for table in ("groups", "permissions"):
            op.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )


def _pairs(name: str, first: str, second: str) -> sa.Table:
    columns = [f"{table.rstrip('s')}_id" for table in (first, second)]
    made = op.create_table(
        name,
        *(sa.Column(column, sa.Integer(), nullable=False) for column in columns),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_{name}_{column}_{table}"), ondelete="CASCADE"
            )
            for column, table in zip(columns, (first, second), strict=True)
        ),
        sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_{columns[1]}"), name, [columns[1]])
    return made


def downgrade() -> None:
    for table in ("permission_groups", "permission_users", "group_members", "permissions", "groups"):
        op.drop_table(table)
