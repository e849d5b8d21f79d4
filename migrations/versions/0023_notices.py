"""Who is told about what, by which way, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

DUE = sa.text("state IN ('waiting', 'failed') AND via <> 'browser'")
UNSEEN = sa.text("state = 'waiting' AND via = 'browser'")

#: {table: (column of its index, which rows nobody has been told of)}
UNTOLD = {
    "job_results": ("finished_at", "NOT told AND finished_at IS NOT NULL"),
    "approvals": ("id", "told = 0 OR (told = 1 AND decided_at IS NOT NULL)"),
    "schedules": ("id", "problem <> told_problem"),
    "missed_slots": ("id", "NOT told"),
}


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    json = sa.JSON(none_as_null=True)
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("users", sa.Column("mail", sa.String(length=254), nullable=False, server_default=""))
    op.add_column("users", sa.Column("notices", json, nullable=True))
    # What was before is told to nobody.
    for table, column in (
        ("job_results", sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.true())),
        ("approvals", sa.Column("told", sa.Integer(), nullable=False, server_default="2")),
        ("schedules", sa.Column("told_problem", sa.Text(), nullable=False, server_default="")),
        ("missed_slots", sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.true())),
    ):
        op.add_column(table, column)
    op.execute("UPDATE schedules SET told_problem = problem WHERE problem <> ''")
    for table, (column, rows) in UNTOLD.items():
        where = sa.text(rows)
        op.create_index(f"ix_{table}_untold", table, [column], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "notice_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("about", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ways", json, nullable=False),
        sa.Column("words", json, nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notice_rules_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_rules")),
        sa.UniqueConstraint(
            "user_id", "about", "subject", name=op.f("uq_notice_rules_user_id_about_subject")
        ),
    )
    op.create_index("ix_notice_rules_about_subject", "notice_rules", ["about", "subject"])
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("place", sa.String(length=255), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("class_paths", json, nullable=False),
        sa.Column("words", json, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_channels_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_channels_name")),
    )
    op.create_index(op.f("ix_channels_user_id"), "channels", ["user_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", big, nullable=False),
        sa.Column("mark", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("event_key", sa.String(length=100), nullable=False),
        sa.Column("target", sa.String(length=50), nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("receiver", sa.String(length=320), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("content", json, nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=True),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", at, nullable=False),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.Column("answers", json, nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("sent_at", at, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_deliveries_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_deliveries_channel_id_channels"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("event_key", "target", name=op.f("uq_deliveries_event_key_target")),
    )
    op.create_index(op.f("ix_deliveries_channel_id"), "deliveries", ["channel_id"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    op.create_index("ix_deliveries_user_id_id", "deliveries", ["user_id", "id"])
    op.create_index(
        "ix_deliveries_due", "deliveries", ["next_try_at"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_index(
        "ix_deliveries_unseen", "deliveries", ["user_id"], sqlite_where=UNSEEN, postgresql_where=UNSEEN
    )


def downgrade() -> None:
    for table in ("deliveries", "channels", "notice_rules"):
        op.drop_table(table)
    for table in UNTOLD:
        op.drop_index(f"ix_{table}_untold", table_name=table)
    for table, column in (
        ("missed_slots", "told"),
        ("schedules", "told_problem"),
        ("approvals", "told"),
        ("job_results", "told"),
        ("users", "notices"),
        ("users", "mail"),
    ):
        op.drop_column(table, column)
