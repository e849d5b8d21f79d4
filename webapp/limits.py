"""How often one person may ask for what costs the portal more than a page, and other programs for anything at all.

All requests of the APIs together have a limit of their own (see webapp.api.rates).
"""

from flask import Flask, Response, current_app, g, jsonify, make_response, request
from werkzeug.exceptions import TooManyRequests, UnsupportedMediaType

from store.settings import Settings
from webapp.auth import below_api, marked
from webapp.database import SAFE_METHODS
from worker.rates import Hit, Rates

#: {what is counted: the endpoints that do it}. An act for many results at once counts once: it has a limit of its own.
COUNTED = {
    "submit": {
        "jobs.run",
        "results.rerun",
        "results.children_again",
        "bulk.go_on",
        "objects.press",
        "schedules.run",
        "api.run",
        "api.rerun",
        "api.children_again",
        "api.bulk",
        "api.press_button",
        "api.run_schedule",
        "extras.run",
        "extras.run_class",
        "ndscheduler.run_job",
    },
    "search": {"search.index", "jump.show", "api.all_entries"},
    "download": {
        "results.download_list",
        "results.download",
        "results.output",
        "results.return_value",
        "results.export",
        "results.plan",
        "results.file",
        "audit.download",
        "data_files.content",
        "api.export",
        "api.file",
        "api.data_file_content",
    },
}
_COUNTED_AS = {endpoint: name for name, endpoints in COUNTED.items() for endpoint in endpoints}

#: What somebody has done then, in a sentence.
_WORDS = {
    "submit": "asked for {limit:,} runs",
    "search": "made {limit:,} searches",
    "download": "asked for {limit:,} downloads",
    "webhook": "made {limit:,} requests",
}

TOO_MANY = "You have {words} within a minute: that is all you may. Wait {seconds} seconds."
PACKED = "Send this as it is: what is packed is not taken."


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["errand_limits"] = {
        name: Rates(settings, f"{most}/minute") for name, most in settings.limits.rates.items() if most
    }
    app.before_request(_refuse_what_is_packed)
    app.before_request(_count_program)
    app.before_request(_count_page)


def count() -> None:
    """Count this request of a person's, if it is one of those that cost. Raises TooManyRequests."""
    name = _COUNTED_AS.get(request.endpoint or "")
    # To look at a page of the same address costs nothing.
    if name is None or (name == "submit" and request.method in SAFE_METHODS):
        return
    hit = _hit(name, f"user:{g.user.id}")
    if hit is not None and not hit.allowed:
        raise TooManyRequests(_sentence(name, hit), retry_after=hit.reset_seconds)


def _count_page() -> None:
    # An API knows only later who asks, and counts then.
    if g.get("user") is not None and not below_api():
        count()


def _count_program() -> Response | None:
    """Count what another program sends before anything is looked up for it: of each way in, and each address."""
    if not marked("is_for_programs"):
        return None
    way_in = ":".join([request.endpoint or "", *map(str, (request.view_args or {}).values())])
    hit = _hit("webhook", f"{way_in[:200]}:{request.remote_addr}")
    if hit is None or hit.allowed:
        return None
    answer = make_response(jsonify(detail=_sentence("webhook", hit)), 429)
    answer.headers["Retry-After"] = str(hit.reset_seconds)
    return answer


def _hit(name: str, key: str) -> Hit | None:
    rates: Rates | None = current_app.extensions["errand_limits"].get(name)
    return None if rates is None else rates.hit(f"{name}:{key}")


def _sentence(name: str, hit: Hit) -> str:
    return TOO_MANY.format(words=_WORDS[name].format(limit=hit.limit), seconds=hit.reset_seconds)


def _refuse_what_is_packed() -> None:
    """A few bytes may unpack to many, and nothing here needs them to."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(PACKED)
