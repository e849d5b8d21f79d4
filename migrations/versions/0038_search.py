"""Search across all runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "entry_words",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entry_words")),
    )
    op.create_index(op.f("ix_entry_words_result_id"), "entry_words", ["result_id"])
    op.create_index("ix_entry_words_words", "entry_words", ["words"], postgresql_using="gin")
    op.create_table(
        "search_places",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_places")),
    )
    op.create_table(
        "search_removals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_removals")),
    )


def downgrade() -> None:
    op.drop_table("search_removals")
    op.drop_table("search_places")
    op.drop_table("entry_words")
