"""Who grants rights, or is shown what opens a door, shows once more who they are: a session may be left open, or stolen.

What was typed waits in the page that asks, and is sent again with the answer.
"""

from datetime import timedelta
from http import HTTPStatus

from flask import Response, current_app, make_response, render_template, request

from store import audit
from store.models import now
from store.secrets import verify_password
from webapp import lock_out
from webapp.auth import session_of_request, signed_in_user
from webapp.database import db, writing

#: Whoever signed in, or showed it, so lately is not asked.
GOOD_FOR = timedelta(minutes=30)

#: Of the form that asks; all else in it is what was typed before.
ANSWER = "confirm_password"
NOT_TYPED = frozenset({ANSWER, "csrf_token"})

#: Longer passwords are nobody's.
LONGEST = 256


class ConfirmationRequired(Exception):
    """Something that asks for a person who has just shown who they are. The sentence: what was wrong with their answer."""

    def __init__(self, sentence: str = "", *, wait_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


def require_confirmed() -> None:
    """Raise ConfirmationRequired unless the person of this request has lately shown who they are, or does it now."""
    session = session_of_request()
    if session.confirmed_at is not None and session.confirmed_at > now() - GOOD_FOR:
        return
    given, user = request.form.get(ANSWER), signed_in_user()
    if given is None or user.password_hash is None or not _passwords():
        raise ConfirmationRequired
    # Hashing takes its time: the write turn of SQLite is not held meanwhile.
    username, kept = user.username, user.password_hash
    db.session.rollback()
    if seconds := lock_out.seconds_to_wait(username, lock_out.OWN_ACCOUNT):
        raise ConfirmationRequired(
            f"Too many tries. Wait {seconds} seconds, then try again.", wait_seconds=seconds
        )
    if not verify_password(kept, given[:LONGEST]):
        with writing() as noted:
            audit.note(noted, "sign-in.refused", username)
        raise ConfirmationRequired("This is not your password.")
    lock_out.forget_failures(username, lock_out.OWN_ACCOUNT)
    session.confirm()


def ask_again(error: ConfirmationRequired) -> Response:
    """Show the page that asks, with what was typed in it."""
    # Read anew: what the view had begun is not wanted.
    db.session.rollback()
    settings = current_app.extensions["errand"].settings
    page = render_template(
        "account/confirm.html",
        sentence=str(error),
        kept=[(name, text) for name, text in request.form.items(multi=True) if name not in NOT_TYPED],
        answer=ANSWER,
        with_password=_passwords() and signed_in_user().password_hash is not None,
        oidc=settings.oidc,
        minutes=int(GOOD_FOR.total_seconds() // 60),
    )
    if error.wait_seconds:
        waits = {"Retry-After": str(error.wait_seconds)}
        return make_response(page, HTTPStatus.TOO_MANY_REQUESTS, waits)
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)


def _passwords() -> bool:
    return bool(current_app.extensions["errand"].settings.passwords)
