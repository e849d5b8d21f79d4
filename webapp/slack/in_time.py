"""Answers to a modal that was sent off: Slack waits three seconds, then it tells whoever sent it that it failed."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from slack_sdk import WebClient

from webapp.slack.blocks import modal, section
from worker.slack.client import NotTaken, taken

#: After so long the modal says that it is being worked on.
PATIENCE_SECONDS = 2.0
#: So long it takes at most until it does say so: what comes earlier, it would hide.
GRACE_SECONDS = 0.5

BUSY = modal("One moment…", [section("It is being worked on.")])
FAILED = modal("It did not work", [section("Something broke. Try again, or tell an administrator.")])

logger = logging.getLogger("errand.slack")


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a modal: it shows something else, closes, or stays with sentences at its inputs."""

    #: What it shows then; or would, were it still waiting.
    view: dict[str, Any]
    closes: bool = False
    #: {block id: sentence}
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, Any]:
        if self.errors:
            return {"response_action": "errors", "errors": dict(self.errors)}
        return {} if self.closes else {"response_action": "update", "view": self.view}


def answer_in_time(
    pool: ThreadPoolExecutor,
    client: WebClient,
    ack: Callable[..., Any],
    view_id: str,
    work: Callable[[], Answer],
) -> None:
    """Have this work done, and acknowledge with its answer; what takes longer is answered in the modal, which waits."""
    doing = pool.submit(work)
    try:
        said = doing.result(PATIENCE_SECONDS).said
    except TimeoutError:
        if doing.done():
            raise
        from_now = time.monotonic() + GRACE_SECONDS
        ack(response_action="update", view=BUSY)
        doing.add_done_callback(lambda done: _answer_late(client, view_id, done, from_now))
    else:
        ack(**said)


def update(client: WebClient, view_id: str, view: dict[str, Any], seen: str | None = None) -> None:
    """Show this in a modal, unless whoever had it open has closed it. seen: the hash of the one that it is to replace."""
    try:
        with taken():
            client.views_update(view_id=view_id, view=view, hash=seen)
    except NotTaken as error:
        logger.info("A form in Slack was not shown: %s", error)


def _answer_late(client: WebClient, view_id: str, done: Future[Answer], from_now: float) -> None:
    if error := done.exception():
        logger.error("A form of Slack broke.", exc_info=error)
    time.sleep(max(0.0, from_now - time.monotonic()))
    update(client, view_id, FAILED if error else done.result().view)
