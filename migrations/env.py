"""Alembic's entry: runs the revisions of whichever database `store.migrate` names.

Our own, and not Flask-Migrate's: that one calls functions which Flask-SQLAlchemy is about to remove.
"""

from typing import Any, Literal

from alembic import context

from store.columns import UtcDateTime


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """Write revisions in SQLAlchemy's own types: they must run when our classes have moved on."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


config = context.config

context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    # SQLite cannot alter most of a table in place; Alembic copies it instead.
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)

with context.begin_transaction():
    context.run_migrations()
