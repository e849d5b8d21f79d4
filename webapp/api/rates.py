"""How many requests somebody may make of the APIs: a limit, and the headers that tell of it."""

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import TooManyRequests

from store.settings import Settings
from webapp import limits
from webapp.api.tokens import HERE
from worker.rates import Hit, Rates

TOO_MANY = "You have made {limit:,} requests within a minute: that is all you may. Wait {seconds} seconds."


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["errand_rates"] = (
        Rates(settings, f"{settings.api_rate}/minute") if settings.api_rate else None
    )


def count() -> None:
    """Count this request for who makes it (see webapp.api.tokens.identify). Raises TooManyRequests.

    Not for the token: people make as many as they like.
    """
    if HERE in request.environ:
        return
    limits.count()
    rates: Rates | None = current_app.extensions["errand_rates"]
    if rates is None:
        return
    hit = g.rate = rates.hit(f"user:{g.user.id}")
    if not hit.allowed:
        sentence = TOO_MANY.format(limit=hit.limit, seconds=hit.reset_seconds)
        raise TooManyRequests(sentence, retry_after=hit.reset_seconds)


def tell(response: Response) -> Response:
    """Say what is left."""
    hit: Hit | None = g.get("rate")
    if hit is not None:
        response.headers["RateLimit-Limit"] = str(hit.limit)
        response.headers["RateLimit-Remaining"] = str(hit.remaining)
        response.headers["RateLimit-Reset"] = str(hit.reset_seconds)
    return response
