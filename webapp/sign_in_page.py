"""The page to sign in on, whichever way somebody came to it."""

from http import HTTPStatus
from typing import Any

from flask import Response, current_app, make_response, render_template, session

#: Where the session of somebody who came from a provider keeps the address to sign out there.
SIGN_OUT_ADDRESS = "sign_out_address"

#: To whoever was signed in already, and has shown again who they are.
SHOWN = "You have shown who you are. Go on in the page that asked for it."


def sign_in_page(status: HTTPStatus = HTTPStatus.OK, **about: Any) -> Response:
    settings = current_app.extensions["errand"].settings
    page = render_template(
        "login/show.html",
        oidc=settings.oidc,
        passwords=settings.passwords,
        # Offered once, right after signing out here.
        sign_out_address=session.pop(SIGN_OUT_ADDRESS, None),
        **about,
    )
    return make_response(page, status)
