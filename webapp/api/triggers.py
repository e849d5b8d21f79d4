"""What lists of hooks, chains, buttons and webhooks have in common."""

from typing import Any

from pydantic import Field
from werkzeug.exceptions import NotFound

from store.models import Button, Chain, Hook, Webhook
from webapp.api.errors import InvalidRequest
from webapp.api.given import Flag, Text
from webapp.api.jobs import find_job
from webapp.api.listing import Sorted
from webapp.database import db


class Triggers(Sorted):
    job: Text = Field("", description="The id or class path of their job.")
    enabled: Flag | None = None
    q: Text = Field("", description="In their names.")


def narrowed(
    query: Any, model: type[Hook] | type[Chain] | type[Button] | type[Webhook], asked: Triggers
) -> Any:
    """Narrow a query to what was asked for. Raises InvalidRequest for a job that one does not see."""
    if asked.job:
        try:
            query = query.where(model.job_id == find_job(asked.job, db.session()).id)
        except NotFound as error:
            raise InvalidRequest({"job": [str(error.description)]}) from None
    if asked.enabled is not None:
        query = query.where(model.enabled.is_(asked.enabled))
    if asked.q:
        query = query.where(model.name.icontains(asked.q, autoescape=True))
    return query
