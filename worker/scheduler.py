"""The scheduler process: it reconciles, over and over, and tidies up."""

import signal
import threading

from sqlalchemy import delete

from store.models import SignInLink, UserSession, now
from store.platform import Platform
from store.settings import Settings
from worker.reconciler import reconcile_until

#: Passes of the reconciler between two rounds of tidying up.
TIDY_EVERY = 200


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)


def run(settings: Settings, stop: threading.Event) -> None:
    reconcile_until(settings, stop, after_pass=_tidy_at_times)


def _tidy_at_times(platform: Platform, number: int) -> None:
    if number % TIDY_EVERY == 0:
        tidy(platform)


def tidy(platform: Platform) -> None:
    """Remove sessions and links that nobody can use any more."""
    with platform.session() as db:
        db.execute(delete(UserSession).where(UserSession.expires_at < now()))
        db.execute(delete(SignInLink).where(SignInLink.expires_at < now()))
        db.commit()
