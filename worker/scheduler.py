"""The scheduler process: it reconciles, over and over."""

import logging
import signal
import threading

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from store.models import SignInLink, UserSession, now
from store.platform import Platform
from store.settings import Settings
from worker.reconciler import Reconciler

PASS_SECONDS = 3.0

#: Passes between two rounds of tidying up.
TIDY_EVERY = 200

logger = logging.getLogger("errand.scheduler")


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)


def run(settings: Settings, stop: threading.Event) -> None:
    platform = Platform(settings.database_url)
    reconciler = Reconciler(settings, platform)
    passes = 0
    try:
        while not stop.is_set():
            try:
                report = reconciler.run_once()
                for result_id in report.pushed:
                    logger.warning(
                        "Pushed %s: it had not reached its queue, or may start only now.", result_id
                    )
                for result_id in report.ended:
                    logger.warning("Ended %s: its worker died.", result_id)
                for result_id in report.expired:
                    logger.warning("Canceled %s: it waited too long.", result_id)
                if passes % TIDY_EVERY == 0:
                    tidy(platform)
                passes += 1
            except SQLAlchemyError as error:
                # A database that restarts is back soon; what was missed is found in the next pass. The
                # reconciler starts its clocks anew: a beat that nobody could write proves nothing.
                logger.error("The database did not answer: %s", error)
                reconciler = Reconciler(settings, platform)
            stop.wait(PASS_SECONDS)
    finally:
        platform.dispose()


def tidy(platform: Platform) -> None:
    """Remove sessions and links that nobody can use any more."""
    with platform.session() as db:
        db.execute(delete(UserSession).where(UserSession.expires_at < now()))
        db.execute(delete(SignInLink).where(SignInLink.expires_at < now()))
        db.commit()
