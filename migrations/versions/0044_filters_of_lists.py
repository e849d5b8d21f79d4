"""Saved filters of the list of jobs, too; and the filter that a list opens with."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

OLD, NEW = "uq_saved_filters_user_id_name", "uq_saved_filters_user_id_list_name_name"


def upgrade() -> None:
    with op.batch_alter_table("saved_filters") as table:
        table.add_column(sa.Column("list_name", sa.String(20), nullable=False, server_default="results"))
        # Mixed versions: one that knows no other list saves filters of results alone, for which nothing changes.
        table.drop_constraint(op.f(OLD), type_="unique")
        table.create_unique_constraint(op.f(NEW), ["user_id", "list_name", "name"])
    op.create_table(
        "default_filters",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("list_name", sa.String(20), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_default_filters_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "list_name", name=op.f("pk_default_filters")),
    )


def downgrade() -> None:
    op.drop_table("default_filters")
    # Names are free in each list: without one, those of jobs would be in the way of those of results.
    op.execute("DELETE FROM saved_filters WHERE list_name <> 'results'")
    with op.batch_alter_table("saved_filters") as table:
        table.drop_constraint(op.f(NEW), type_="unique")
        table.create_unique_constraint(op.f(OLD), ["user_id", "name"])
        table.drop_column("list_name")
