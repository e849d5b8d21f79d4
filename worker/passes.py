"""What a scheduler looks for again and again, each thing in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

PASS_SECONDS = 1.0

logger = logging.getLogger("errand.passes")


def keep_looking(
    look: Callable[[], float | None], stop: threading.Event, *, pause: float = PASS_SECONDS
) -> None:
    """Call `look` until `stop` is set; it may return the seconds until the next time.

    Nothing that it raises ends this: what it looks for is there still, and the next pass finds it.
    """
    wait = pause
    while not stop.wait(wait):
        try:
            wait = look() or pause
        except SQLAlchemyError as error:
            # A database that restarts is back soon.
            logger.error("The database did not answer: %s", error)
            wait = pause
        except Exception:
            logger.exception("A pass broke; the next one tries again.")
            wait = pause
