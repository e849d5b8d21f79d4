"""What became of the answer that somebody in Slack waits for, as the page of its run tells."""

from dataclasses import dataclass

from sqlalchemy import select

from store.models import JobResult, SlackRequest
from webapp.database import db

#: What asks for runs that Slack is told of.
_ORIGINS = ("slack", "webhook")


@dataclass(frozen=True, slots=True)
class SlackAnswer:
    words: str
    #: Why it did not get there; empty: it did.
    problem: str = ""


def slack_answer(result: JobResult) -> SlackAnswer | None:
    """Return it; None where nobody in Slack waits for one, or still does: its page is not told when that changes."""
    if result.origin not in _ORIGINS:
        return None
    query = select(SlackRequest).where(SlackRequest.result_id == result.id)
    request = db.session.scalars(query).one_or_none()
    if request is None or request.state == "waiting":
        return None
    words = "Not answered in Slack" if request.state == "failed" else "Answered in Slack"
    return SlackAnswer(words, request.problem)
