"""Slack, times in which nothing begins, equal requests that count once, and jobs that not everybody may run."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

#: The group of the people of Slack who are no guests there.
MEMBERS = "Slack members"

FOR_ALL = "Run enabled jobs"
FOR_ALL_BEFORE: list[dict[str, Any]] = [{"enabled": True}]
FOR_ALL_NOW: list[dict[str, Any]] = [{"enabled": True, "restricted": False}]

SEEN = "See restricted jobs"
RUN = "Run restricted jobs"
OF_RESTRICTED: list[dict[str, Any]] = [{"enabled": True, "restricted": True}]

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
groups = sa.table(
    "groups",
    sa.column("id", sa.Integer()),
    sa.column("name", sa.String()),
    sa.column("description", sa.String()),
    sa.column("everyone", sa.Boolean()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
given_to = sa.table(
    "permission_groups", sa.column("permission_id", sa.Integer()), sa.column("group_id", sa.Integer())
)

PENDING = sa.text("status = 'pending' AND dedupe_key IS NOT NULL")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    _columns()
    _tables()
    _permissions()


def _columns() -> None:
    for column in (
        sa.Column("restricted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("dedupe", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("delay", sa.Double(), nullable=False, server_default="0"),
        sa.Column("slack_commands", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("slack_report", sa.JSON(), nullable=False, server_default="{}"),
    ):
        op.add_column("job_records", column)
    op.add_column("job_results", sa.Column("dedupe_key", sa.String(length=64), nullable=True))
    op.add_column("job_results", sa.Column("turn_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_job_results_dedupe_key",
        "job_results",
        ["status", "dedupe_key"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )


def _tables() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "namespaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("module", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("default_channel", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_namespaces")),
        sa.UniqueConstraint("source", "module", "name", name=op.f("uq_namespaces_source_module_name")),
    )
    op.create_table(
        "slack_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("thread_ts", sa.String(length=40), nullable=True),
        sa.Column("message_ts", sa.String(length=40), nullable=True),
        sa.Column("slack_user", sa.String(length=40), nullable=False),
        sa.Column("is_im", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", at, nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("answered_at", at, nullable=True),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["job_results.id"],
            name=op.f("fk_slack_requests_result_id_job_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_requests")),
        sa.UniqueConstraint("result_id", name=op.f("uq_slack_requests_result_id")),
    )
    op.create_index(
        "ix_slack_requests_unanswered",
        "slack_requests",
        ["id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "slack_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("expires_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_slack_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_codes")),
        sa.UniqueConstraint("user_id", name=op.f("uq_slack_codes_user_id")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_slack_codes_code_hash")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", at, nullable=False),
        sa.Column("ends_at", at, nullable=False),
        sa.Column("username", sa.String(length=150), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["job_records.id"],
            name=op.f("fk_suppressions_job_id_job_records"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index("ix_suppressions_job_id_ends_at", "suppressions", ["job_id", "ends_at"])
    op.create_table(
        "joined_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("idempotency_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["job_results.id"],
            name=op.f("fk_joined_requests_result_id_job_results"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_joined_requests_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joined_requests")),
        sa.UniqueConstraint(
            "user_id", "idempotency_key", name=op.f("uq_joined_requests_user_id_idempotency_key")
        ),
    )
    op.create_index("ix_joined_requests_result_id", "joined_requests", ["result_id"])


def _permissions() -> None:
    """Have what all people may do leave restricted jobs out, where an admin has not changed it."""
    db = op.get_bind()
    _change(db, FOR_ALL_BEFORE, FOR_ALL_NOW)
    everyone = db.scalars(sa.select(groups.c.id).where(groups.c.everyone)).all()
    _give(db, SEEN, ["view"], everyone)
    if db.scalar(sa.select(groups.c.id).where(groups.c.name == MEMBERS)) is None:
        db.execute(
            sa.insert(groups).values(
                name=MEMBERS,
                description="People who came by Slack, and are no guests there.",
                everyone=False,
                created_at=datetime.now(UTC),
            )
        )
    _give(db, RUN, ["view", "run"], db.scalars(sa.select(groups.c.id).where(groups.c.name == MEMBERS)).all())


def _change(db: Any, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    found = sa.select(permissions.c.id, permissions.c.constraints).where(permissions.c.name == FOR_ALL)
    for key, constraints in db.execute(found).all():
        if constraints == before:
            db.execute(sa.update(permissions).where(permissions.c.id == key).values(constraints=after))


def _give(db: Any, name: str, actions: list[str], group_ids: Any) -> None:
    if db.scalar(sa.select(permissions.c.id).where(permissions.c.name == name)) is not None:
        return
    db.execute(
        sa.insert(permissions).values(
            name=name,
            description="",
            enabled=True,
            kind="job",
            actions=actions,
            constraints=OF_RESTRICTED,
            created_at=datetime.now(UTC),
        )
    )
    key = db.scalar(sa.select(permissions.c.id).where(permissions.c.name == name))
    for group in group_ids:
        db.execute(sa.insert(given_to).values(permission_id=key, group_id=group))


def downgrade() -> None:
    db = op.get_bind()
    _change(db, FOR_ALL_NOW, FOR_ALL_BEFORE)
    ours = sa.select(permissions.c.id).where(permissions.c.name.in_([SEEN, RUN]))
    db.execute(sa.delete(given_to).where(given_to.c.permission_id.in_(ours)))
    db.execute(sa.delete(permissions).where(permissions.c.name.in_([SEEN, RUN])))
    for table in ("joined_requests", "suppressions", "slack_codes", "slack_requests", "namespaces"):
        op.drop_table(table)
    op.drop_index("ix_job_results_dedupe_key", table_name="job_results")
    op.drop_column("job_results", "turn_at")
    op.drop_column("job_results", "dedupe_key")
    for name in ("slack_report", "slack_commands", "delay", "dedupe", "restricted"):
        op.drop_column("job_records", name)
