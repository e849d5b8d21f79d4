"""The addresses that bennettbot has: webhooks of GitHub, and a check that it is there."""

from flask import Blueprint, Response, current_app, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge

from jobs.errors import InvalidData
from store import audit
from store.permissions import Forbidden, NotVisible
from store.text import clean_text
from webapp.auth import for_programs, public
from webapp.database import db
from worker import github_deploys
from worker.asked import NotRunnable
from worker.github_deploys import UnknownProject
from worker.payloads import BadPayload, Headers
from worker.signatures import BadSignature

blueprint = Blueprint("bennettbot", __name__, url_prefix="/bennettbot")

MOST_BYTES = 1024 * 1024


@blueprint.get("/check/")
@public
def check() -> Response:
    return _answer(200, "ok")


@blueprint.post("/github/<project>/")
@for_programs
def github(project: str) -> Response:
    """Deploy a project whose pull request was merged. 200 and nothing said for all that is signed, and all else."""
    settings = current_app.extensions["errand"].settings
    request.max_content_length = MOST_BYTES
    headers = Headers(dict(request.headers))
    try:
        body = request.get_data()
        github_deploys.check(headers, body, settings.slack.github_secret)
    except RequestEntityTooLarge:
        return _answer(413, f"Send at most {MOST_BYTES >> 20} MB.")
    except BadSignature:
        return _answer(403, "The signature is missing or wrong.")
    audit.act_as(audit.Actor(github_deploys.USERNAME, "webhook", request.remote_addr or ""))
    try:
        github_deploys.receive(db.session(), settings, clean_text(project), headers, body)
    except (BadPayload, UnknownProject) as refusal:
        return _answer(400, str(refusal))
    except InvalidData as refusal:
        return _answer(409, f"The job takes inputs that a webhook has none for: {refusal}")
    except NotRunnable as refusal:
        return _answer(409, str(refusal))
    except (Forbidden, NotVisible):
        return _answer(403, f"The account {github_deploys.USERNAME} may not run this job.")
    return _answer(200, "")


def _answer(status: int, sentence: str) -> Response:
    return make_response(sentence, status, {"Content-Type": "text/plain; charset=utf-8"})
