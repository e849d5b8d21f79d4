"""Where jobs come from, and what could not be loaded from there."""

from typing import Any

from sqlalchemy import select

from store.models import GitSource, JobSource, LoadError
from store.permissions import require, visible
from webapp.api.calls import Query, call
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.places import SourceShape, source
from webapp.api.tokens import user
from webapp.database import db
from worker.syncs import latest


@call(answers={200: Page[SourceShape]}, tag="sources")
def sources(query: Query) -> Any:
    """List where jobs come from, with what could not be loaded from there."""
    # Tracebacks name paths and show code: they are for those who may mend it.
    require(user(), "view", JobSource)
    found = db.session.scalars(visible(select(JobSource), user(), JobSource).order_by(JobSource.name)).all()
    errors = db.session.scalars(
        visible(select(LoadError), user(), LoadError).order_by(LoadError.path, LoadError.id)
    ).all()
    syncs = latest(db.session())
    repositories = {row.name: syncs.get(row.id) for row in db.session.scalars(select(GitSource))}
    return page(
        [
            source(row, [e for e in errors if e.source == row.name], repositories.get(row.name))
            for row in found
        ]
    )
