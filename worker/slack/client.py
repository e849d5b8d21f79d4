"""The way to Slack's Web API, and what can become of a call."""

import http.client
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from store.slack_settings import SlackSettings

if TYPE_CHECKING:
    from slack_sdk import WebClient

#: For one call, or one step of it.
SECONDS = 10

#: Where Slack says that there is too much, and not for how long; and the longest that counts.
REST_SECONDS, LONGEST_REST_SECONDS = 30, 3_600


class NotTaken(Exception):
    """Slack has not taken something; the text says why."""

    def __init__(self, why: str, *, rest_seconds: int = 0) -> None:
        super().__init__(why)
        #: For so long Slack wants no more of it; 0: that is not why.
        self.rest_seconds = rest_seconds


def make_client(settings: SlackSettings) -> "WebClient":
    """Return a client that tries once: whoever calls knows what to try again, and when."""
    # Imported here: most processes never speak to Slack.
    from slack_sdk import WebClient

    logger = logging.getLogger("errand.slack.client")
    # It tells of each failure, and so does whoever called.
    logger.setLevel(logging.CRITICAL)
    client = WebClient(
        settings.bot_token, base_url=settings.api_url, timeout=SECONDS, logger=logger, retry_handlers=[]
    )
    # Python finds the proxy of the environment by itself, and also which hosts have none.
    client.proxy = None
    return client


@contextmanager
def taken() -> Iterator[None]:
    """Have whatever a call raises be NotTaken."""
    from slack_sdk.errors import SlackApiError, SlackClientError

    try:
        yield
    except SlackApiError as error:
        said = error.response
        raise _judged(str(said.get("error") or "no answer"), said.status_code, dict(said.headers)) from error
    except HTTPError as error:
        with error:
            raise _judged(f"HTTP {error.code}", error.code, dict(error.headers)) from error
    except (SlackClientError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise NotTaken(f"Slack could not be reached: {str(reason) or type(error).__name__}") from error


def _judged(why: str, status: int, headers: dict[str, str]) -> NotTaken:
    if status != 429 and why not in ("ratelimited", "rate_limited"):
        return NotTaken(why)
    given = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    seconds = int(given) if given.isdecimal() and len(given) < 6 else REST_SECONDS
    return NotTaken("ratelimited", rest_seconds=min(max(seconds, 1), LONGEST_REST_SECONDS))
