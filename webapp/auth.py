"""Who asks: the user of this request, and the question whether they may."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import BadRequest

from store import audit, permissions
from store.decisions import Asker
from store.models import DataFile, User
from webapp.database import SAFE_METHODS, db
from webapp.sessions import BrowserSession
from webapp.uploads import expect_files

View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()


class SignInRequired(Exception):
    """A page for people who have signed in, asked for by someone who has not."""


def public(view: View) -> View:
    """Let strangers see this view. Every other view is for people who have signed in."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def for_programs(view: View) -> View:
    """Say that other programs call this view, which knows them by what they send: no session, no page of ours."""
    view.is_for_programs = True  # type: ignore[attr-defined]
    return public(view)


def polled(view: View) -> View:
    """Say that pages ask for this view by themselves, so that asking does not keep a session alive."""
    view.is_polled = True  # type: ignore[attr-defined]
    return view


def takes_files(view: View) -> View:
    """Say that files may come with a request for this view."""
    view.is_for_files = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    csrf.init_app(app)
    app.extensions["askers"] = {}
    app.before_request(_identify)
    app.before_request(_say_who_acts)
    app.before_request(_refuse_strangers)
    app.before_request(_refuse_foreign_pages)
    app.context_processor(
        lambda: {"user": current_user(), "allowed": allowed, "people": User, "data_file": DataFile}
    )


def current_user() -> User | None:
    user: User | None = g.get("user")
    return user


def signed_in_user() -> User:
    user = current_user()
    if user is None:
        raise SignInRequired
    return user


def require(action: str, subject: Any = None) -> None:
    """Raise NotVisible or Forbidden unless the user of this request may do `action` to `subject`."""
    permissions.require(current_user(), action, subject)


def allowed(action: str, subject: Any = None) -> bool:
    return permissions.allowed(current_user(), action, subject)


def counts_as_use() -> bool:
    return not marked("is_polled")


def below_api() -> bool:
    """Tell whether this request is an API's: it knows its callers by what they send, and asks by itself."""
    return request.path.startswith(("/api/", "/ndscheduler/"))


#: What somebody may do can be so old for a poll, which only reads. All else asks anew each time.
ASKER_SECONDS = 1.0
MOST_ASKERS = 1_000


def _identify() -> None:
    g.user = None
    # Who is known by what they send is nobody else by a cookie that comes along.
    if below_api() or marked("is_for_programs"):
        return
    if (user := session_of_request().user) is not None:
        # The row was read on a session of its own; from here on it belongs to the request's.
        g.user = db.session.merge(user, load=False)
        if request.method in SAFE_METHODS and marked("is_polled"):
            _remember_rights(g.user)


def _say_who_acts() -> None:
    """Whatever is written down from here on was done by whoever asks."""
    audit.act_as(audit.Actor(g.user.username if g.user else "", "page", request.remote_addr or ""))


def _remember_rights(user: User) -> None:
    """Spare a poll the question what its reader may do, where that was asked a moment ago."""
    # {user id: (asker, when that was read)}
    known: dict[int, tuple[Asker, float]] = current_app.extensions["askers"]
    asker, read_at = known.get(user.id, (None, 0.0))
    moment = time.monotonic()
    same = asker is not None and (asker.superuser, asker.active) == (user.superuser, user.active)
    if asker is not None and same and moment - read_at < ASKER_SECONDS:
        permissions.give(user, asker)
        return
    if len(known) >= MOST_ASKERS:
        known.clear()
    if (read := permissions.asker_of(user)) is not None:
        known[user.id] = (read, moment)


def session_of_request() -> BrowserSession:
    found: BrowserSession = session._get_current_object()  # type: ignore[attr-defined]
    return found


def _refuse_strangers() -> None:
    # An unknown address goes on to its 404; what exists is closed unless it says otherwise.
    if request.endpoint is None or below_api() or marked("is_public"):
        return
    if not allowed("view"):
        raise SignInRequired


def _refuse_foreign_pages() -> None:
    """Accept changes only from our own pages: by where the request comes from, and by the session's token."""
    if request.method in SAFE_METHODS or request.endpoint is None or below_api():
        return
    if marked("is_for_programs"):
        return
    if not _comes_from_us():
        raise BadRequest("This request came from another site, so nothing was done.")
    # The session's token may stand in the body, behind whatever else is there.
    if marked("is_for_files"):
        expect_files()
    csrf.protect()


def _comes_from_us() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    # Not the scheme: a proxy that speaks TLS for us hides it.
    return origin is None or origin.partition("://")[2] == request.host


def marked(name: str) -> bool:
    """Tell whether the view of this request says so of itself."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, name, False))
