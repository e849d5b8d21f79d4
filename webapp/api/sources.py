"""Where jobs come from, and what could not be loaded from there."""

from typing import Any

from flask import current_app, url_for
from pydantic import Field
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from store.models import GIT, GitSource, JobSource, LoadError, SourceSync
from store.permissions import NotVisible, require, visible
from store.settings import Settings
from webapp import source_form
from webapp.admin_forms import AdminForm
from webapp.api.arguments import storable
from webapp.api.calls import Body, Query, call
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.places import (
    FullSourceShape,
    SourceShape,
    SyncShape,
    repository,
)
from webapp.api.shapes.places import source as source_shape
from webapp.api.shapes.places import sync as sync_shape
from webapp.api.tokens import user
from webapp.database import db
from worker.syncs import latest

SYNCS = Order({"created_at": SourceSync.created_at}, SourceSync.id, "-created_at")

#: What the inputs of the form are called here.
NAMES = {source_form.CRON: "cron", source_form.ZONE: "zone"}

STORED = "Stored encrypted, and never told; null removes it."


class SourceChange(Body):
    url: Text = ""
    ref: Text = Field("", description="A branch or a tag; empty: its main branch.")
    path: Text = Field("jobs", description="The folder of job files in it.")
    username: Text = ""
    host_keys: Text = ""
    enabled: bool = True
    interval_minutes: int = Field(0, description="0: only when somebody asks, or at the times of `cron`.")
    cron: Text = ""
    zone: Text = Field("", description="Of `cron`; empty: the portal's.")
    token: Text | None = Field("", description=STORED)
    private_key: Text | None = Field("", description=STORED)
    webhook_secret: Text | None = Field("", description=STORED)


class NewSource(SourceChange):
    slug: Text = Field(description="The source is called git.<slug>.")


class NewSync(Body):
    anyway: Text = Field("", description="A commit to use though some of its files cannot be loaded.")


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
            source_shape(row, [e for e in errors if e.source == row.name], repositories.get(row.name))
            for row in found
        ]
    )


@call(answers={200: FullSourceShape}, tag="sources")
def source(query: Query, name: str) -> Any:
    """Show where some jobs come from."""
    require(user(), "view", JobSource)
    return _shown(name)


@call(body=NewSource, answers={201: FullSourceShape}, tag="sources")
def create_source(query: Query, body: NewSource) -> Any:
    """Add a git repository, and have it synced."""
    require(user(), "change", JobSource)
    form = _form(None, body)
    made = source_form.save_new(db.session(), form, _settings().secret_key, via="api", by=user())
    return _shown(made.name), 201, {"Location": url_for("api.source", name=made.name)}


@call(body=SourceChange, answers={200: FullSourceShape}, tag="sources")
def change_source(query: Query, name: str, body: SourceChange) -> Any:
    """Change a git repository; where something else is to be fetched, it is synced."""
    found = _find(name)
    require(user(), "change", found)
    form = _form(found, body)
    source_form.save_changes(db.session(), found, form, _settings().secret_key, via="api", by=user())
    return _shown(name)


@call(answers={204: None}, tag="sources")
def delete_source(query: Query, name: str) -> Any:
    """Delete a git repository. Its jobs are not installed any more; their results stay."""
    found = _find(name)
    require(user(), "delete", found)
    source_form.drop(db.session(), found)
    return None, 204


@call(body=NewSync, answers={202: SyncShape}, tag="sources")
def sync_source(query: Query, name: str, body: NewSync) -> Any:
    """Have a git repository looked at."""
    found = _find(name)
    require(user(), "change", found)
    made = source_form.ask_for_sync(db.session(), found, via="api", by=user(), anyway=body.anyway[:64])
    return sync_shape(made), 202


@call(answers={202: SyncShape}, tag="sources")
def test_source(query: Query, name: str) -> Any:
    """Have a git server asked what it has: whether it can be reached, and opened."""
    found = _find(name)
    require(user(), "change", found)
    return sync_shape(source_form.ask_for_test(db.session(), found, via="api", by=user())), 202


@call(query=Sorted, answers={200: Page[SyncShape]}, tag="sources")
def syncs(query: Sorted, name: str) -> Any:
    """List the syncs of a git repository, the latest first."""
    found = _find(name)
    require(user(), "view", found)
    wanted = select(SourceSync).where(SourceSync.source_id == found.id)
    rows, more = part(db.session(), wanted, query, SYNCS)
    return page([sync_shape(row) for row in rows], more)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings


def _find(name: str) -> GitSource:
    query = visible(select(GitSource), user(), GitSource)
    found: GitSource | None = None
    if name.startswith(GIT) and storable(name):
        found = db.session.scalars(query.where(GitSource.slug == name.removeprefix(GIT))).one_or_none()
    if found is None:
        raise NotFound("There is no such git repository.")
    return found


def _shown(name: str) -> FullSourceShape:
    session = db.session()
    named = visible(select(JobSource), user(), JobSource).where(JobSource.name == name)
    row = session.scalars(named).one_or_none() if storable(name) else None
    if row is None:
        raise NotVisible
    wrong = visible(select(LoadError), user(), LoadError).where(LoadError.source == name)
    errors = session.scalars(wrong.order_by(LoadError.path, LoadError.id)).all()
    git = session.scalars(select(GitSource).where(GitSource.slug == name.removeprefix(GIT))).one_or_none()
    if row.kind != "git" or git is None:
        return {**source_shape(row, errors), "repository": None}
    return {**source_shape(row, errors, latest(session).get(git.id)), "repository": repository(git)}


def _form(source: GitSource | None, body: SourceChange) -> AdminForm:
    """Return the form as it would be sent: what is known, with what was given of it."""
    known = (
        source_form.values_of(source)
        if source is not None
        else {"path": "jobs", "enabled": True, source_form.ZONE: _settings().time_zone}
    )
    inputs = {name: key for key, name in NAMES.items()}
    given = {inputs.get(name, name): getattr(body, name) for name in body.model_fields_set}
    removed = {f"remove-{name}": "true" for name in source_form.SECRETS if given.get(name, "") is None}
    values = {
        name: value for name, value in {**known, **given}.items() if name != "set" and value is not None
    }
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()
    }
    form = source_form.read_form(MultiDict({**texts, **removed}), source, _settings().git_allow)
    form.errors = {NAMES.get(name, name): sentence for name, sentence in form.errors.items()}
    return form
