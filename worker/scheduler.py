"""The scheduler process: it reconciles, over and over."""

import logging
import os
import secrets
import signal
import socket
import threading
from contextlib import suppress

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from store.models import SignInLink, UserSession, now
from store.platform import Platform
from store.settings import Settings
from worker.host import memory_of, this_process
from worker.presence import IDLE, SCHEDULER, Presence, RollCall, forget_gone
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
    reconciler, roll_call = Reconciler(settings, platform), RollCall(platform)
    presence = Presence(platform, kind=SCHEDULER, name=_name(), queues=(), process=this_process())
    passes = 0
    try:
        while not stop.is_set():
            try:
                report = reconciler.run_once()
                for result_id in report.pushed:
                    logger.warning("Pushed %s again: its queue had lost it.", result_id)
                for result_id in report.ended:
                    logger.warning("Ended %s: its worker died.", result_id)
                presence.reconciled()
                for name in roll_call.run_once():
                    logger.warning("%s is gone without a word.", name)
                if passes % TIDY_EVERY == 0:
                    tidy(platform)
                passes += 1
                presence.beat(IDLE, memory_bytes=memory_of([os.getpid()]))
            except SQLAlchemyError as error:
                # A database that restarts is back soon; what was missed is found in the next pass. The
                # clocks start anew: a beat that nobody could write proves nothing.
                logger.error("The database did not answer: %s", error)
                reconciler, roll_call = Reconciler(settings, platform), RollCall(platform)
            stop.wait(PASS_SECONDS)
    finally:
        with suppress(SQLAlchemyError):
            presence.leave()
        platform.dispose()


def tidy(platform: Platform) -> None:
    """Remove sessions and links that nobody can use any more, and processes that have long ended."""
    with platform.session() as db:
        db.execute(delete(UserSession).where(UserSession.expires_at < now()))
        db.execute(delete(SignInLink).where(SignInLink.expires_at < now()))
        forget_gone(db)
        db.commit()


def _name() -> str:
    return f"scheduler-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
