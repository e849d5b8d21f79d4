"""Every error, turned once into a page, a fragment or JSON."""

import errno
import secrets
from http import HTTPStatus
from urllib.parse import quote, urlencode

from flask import Flask, Response, current_app, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, SecurityError, TooManyRequests

from jobs.errors import InvalidData
from store.models import now
from store.permissions import Forbidden, NotVisible
from webapp import api, htmx
from webapp.auth import SignInRequired, below_api, current_user
from webapp.confirming import ConfirmationRequired, ask_again
from webapp.database import RETRY_AFTER_SECONDS, db, trouble
from webapp.here import here
from webapp.next_page import safe_path
from webapp.uploads import too_much
from worker.room import Full

Answer = Response | tuple[Response, int]


class NoRoom(HTTPException):
    code = 507
    description = "There is no room left for files, so nothing was stored. Tell an administrator."


#: Title and sentence for what a person may run into; other statuses use their own words.
WORDS = {
    400: (
        "This cannot be read",
        "The request is not as this page sends it. Go back, reload the page and try again.",
    ),
    403: ("You may not do this", "Ask an administrator if you think you should."),
    404: ("There is nothing here", "What was here may have been removed, or you may not see it."),
    405: ("Not this way", "This address is not meant to be opened like that."),
    413: ("That is too much", ""),
    429: ("Too many tries", "Wait a moment, then try again."),
    507: ("This cannot be done now", NoRoom.description),
}

NOT_OURS = "This portal does not answer to this name. Whoever runs it says in ERRAND_HOSTS to which it does."


def init_app(app: Flask) -> None:
    app.register_error_handler(SignInRequired, ask_to_sign_in)
    app.register_error_handler(ConfirmationRequired, ask_again)
    app.register_error_handler(InvalidData, refuse_data)
    app.register_error_handler(Forbidden, forbid)
    app.register_error_handler(NotVisible, hide)
    app.register_error_handler(OperationalError, answer_trouble)
    app.register_error_handler(SecurityError, turn_away)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(OSError, answer_full_disk)
    app.register_error_handler(Exception, answer_fault)


def ask_to_sign_in(_error: SignInRequired) -> Response:
    if htmx.wants_fragment():
        # Never away from the page: a form on it may be half filled. The page tells how to sign in again.
        return Response(status=HTTPStatus.UNAUTHORIZED)
    wanted = _page_asked_for()
    url = url_for("login.show") + (
        f"?{urlencode({'next': wanted})}" if wanted not in (None, url_for("home.show")) else ""
    )
    return _plain(redirect(url, HTTPStatus.SEE_OTHER))


def refuse_data(error: InvalidData) -> Answer:
    if below_api():
        return _from_api(error)
    return _page(422, "These inputs do not fit", str(error))


def forbid(error: Forbidden) -> Answer:
    if below_api():
        return _from_api(error)
    if isinstance(error, Full):
        return answer_http(TooManyRequests(str(error), retry_after=error.wait_seconds))
    asked = urlencode(error.question or {})
    why = f"{url_for('permissions.explain')}?{asked}" if asked and current_user() else ""
    return _page(403, WORDS[403][0], str(error) or WORDS[403][1], why=why)


def hide(error: NotVisible) -> Answer:
    if below_api():
        return _from_api(error)
    return _page(404, *WORDS[404])


def turn_away(_error: SecurityError) -> Answer:
    """The portal was asked for by a name that is not its own: no link can be made, so no page either."""
    return Response(f"{NOT_OURS}\n", 400, mimetype="text/plain")


def answer_http(error: HTTPException) -> Answer:
    if below_api():
        return _from_api(error)
    if error.code is None or error.code < 400:
        return _plain(error.get_response())
    title, sentence = WORDS.get(error.code, (error.name, ""))
    if isinstance(error, CSRFError):
        title, sentence = (
            "This page is out of date",
            "Your session has changed since it was opened. Reload it and try again.",
        )
    elif error.code == 413:
        sentence = f"{too_much()} Go back: what you typed should still be there."
    elif error.description and error.description != type(error).description:
        sentence = error.description
    answer = _page(error.code, title, sentence)
    _keep_headers(error, answer)
    return answer


def answer_trouble(error: OperationalError) -> Answer:
    """The database is away, locked or full. It is asked nothing more for the answer, not even who asks."""
    db.session.rollback()
    if below_api():
        return _from_api(error)
    status, sentence = trouble(error)
    about = {
        "status": status,
        "title": "This cannot be done now",
        "sentence": sentence,
        "again": _page_asked_for(),
    }
    template = "errors/_note.html" if htmx.wants_fragment() else "errors/trouble.html"
    answer = make_response(render_template(template, **about), status)
    if status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def answer_full_disk(error: OSError) -> Answer:
    """A file that was sent found no place; any other error of this kind is our own mistake."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return answer_fault(error)
    current_app.logger.error("%s %s: %s", request.method, quote(request.path), error)
    return answer_http(NoRoom())


def answer_fault(error: Exception) -> Answer:
    """Our own mistake: written to the log in full, told to the reader by a reference only."""
    reference = f"e-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    # Quoted: a path may hold a line's end, and what follows would pass for a line of ours.
    asked = (reference, request.method, quote(request.path))
    current_app.logger.error("%s: %s %s failed", *asked, exc_info=error)
    # The database may be what failed: leave no transaction open, and show a page that asks nothing of it.
    db.session.rollback()
    if below_api():
        return _from_api(error)
    if htmx.wants_fragment():
        return make_response(
            render_template("errors/_note.html", title="This broke", reference=reference), 500
        )
    page = render_template("errors/fault.html", reference=reference, again=_page_asked_for())
    return make_response(page, 500)


def _page_asked_for() -> str | None:
    """Return the address of this request as the browser has it, where it is that of a page to be asked for once more."""
    if request.method != "GET":
        return None
    query = request.query_string.decode(errors="replace")
    return safe_path(here(quote(request.path)) + (f"?{query}" if query else ""))


def _page(status: int, title: str, sentence: str, *, why: str = "") -> Response:
    about = {"status": status, "title": title, "sentence": sentence, "why": why}
    if htmx.wants_fragment():
        return make_response(render_template("errors/_note.html", **about), status)
    # Whoever has not signed in gets nothing of the frame, which shows what runs.
    template = "errors/page.html" if current_user() else "errors/alone.html"
    return make_response(render_template(template, **about), status)


def _keep_headers(error: HTTPException, answer: Response) -> None:
    given = error.get_response()
    for name in ("Allow", "Retry-After"):
        if name in given.headers:
            answer.headers[name] = given.headers[name]
    if isinstance(error, RequestEntityTooLarge):
        answer.headers["Connection"] = "close"


def _from_api(error: Exception) -> Response:
    answer = api.errors.answer(error)
    return _plain(answer if isinstance(answer, Response) else answer.get_response())


def _plain(response: object) -> Response:
    return make_response(response)
