"""Answers that are held back until something has happened to a run."""

from collections.abc import Callable
from uuid import UUID

from flask import current_app

from store import permissions
from webapp.api.tokens import identify, user
from webapp.waiting import Seen


def wait_for(result_id: UUID, seconds: float, until: Callable[[Seen], bool] = lambda seen: False) -> None:
    """Wait until this holds of a run, or it has ended. What was read of it before must be read again.

    Raises Unauthorized where the caller's token is none any more: what somebody may do counts when they are answered.
    """
    current_app.extensions["errand"].waiting.wait(result_id, seconds, until)
    permissions.forget(user())
    identify()
