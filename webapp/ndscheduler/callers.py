"""Who calls: the user of the token, or of the name and the password, in the Authorization header."""

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from store import audit
from webapp.api import tokens
from webapp.bots import basic_auth
from webapp.database import db

ASK = WWWAuthenticate("basic", {"realm": "Errand"})


def identify() -> None:
    """Make whoever calls the user of this request, or refuse it. Cookies are not read."""
    # Until somebody is known, nobody is: a browser may have sent its session along.
    g.user = None
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if scheme != "basic":
        try:
            tokens.identify()
        except Unauthorized as refusal:
            raise Unauthorized(refusal.description, www_authenticate=ASK) from None
        return
    found = basic_auth.user_of(request)
    if found is None or not found.active:
        raise Unauthorized("This name and this password are not known here.", www_authenticate=ASK)
    g.user = db.session.merge(found, load=False) if found not in db.session else found
    audit.act_as(audit.Actor(found.username, "api", request.remote_addr or ""))
