"""What runs a job when another program asks for it with a signed request."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("username", sa.String(length=150), nullable=False),
        sa.Column("form", sa.String(length=20), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("before_until", at, nullable=True),
        sa.Column("rules", json, nullable=False),
        sa.Column("data", json, nullable=False),
        sa.Column("commit_changes", sa.Boolean(), nullable=True),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("unsigned_count", sa.Integer(), nullable=False),
        sa.Column("unsigned_at", at, nullable=True),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job_records.id"], name=op.f("fk_webhooks_job_id_job_records"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_webhooks_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("name", name=op.f("uq_webhooks_name")),
    )
    for name in ("job_id", "user_id"):
        op.create_index(op.f(f"ix_webhooks_{name}"), "webhooks", [name])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("claim", sa.String(length=200), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("headers", json, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("sent_by", sa.String(length=150), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    columns = ["webhook_id", "claim"]
    op.create_index("uq_webhook_deliveries_claim", "webhook_deliveries", columns, unique=True)
    op.create_index("ix_webhook_deliveries_webhook_id_id", "webhook_deliveries", ["webhook_id", "id"])
    columns = ["webhook_id", "outcome", "id"]
    op.create_index("ix_webhook_deliveries_webhook_id_outcome_id", "webhook_deliveries", columns)
    op.create_index("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"])


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
