"""The scheduler process: it fires schedules, syncs git repositories, keeps the search, samples queues, does the duty of all, and tidies up."""

import logging
import os
import signal
import threading

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from store.audit import BATCH, seal
from store.files import file_store
from store.models import FINAL, JobResult, SignInLink, UserSession, now
from store.platform import Platform
from store.settings import Settings, SettingsError
from worker.chains import keep_chaining
from worker.duty import STANDSTILL_SECONDS, Duty, Facts
from worker.entry_search import keep_indexing
from worker.firing import keep_firing
from worker.hooks import keep_hooking
from worker.host import memory_of, process_name, this_process
from worker.json_log import set_up
from worker.postman import forget_old
from worker.presence import SCHEDULER, forget_gone
from worker.retention import keep_pruning
from worker.run_files import sweep
from worker.samples import Sampler
from worker.slack.outbox import forget_old_messages
from worker.syncs import keep_synced
from worker.tally import keep_tallying
from worker.webhook_log import forget_old_deliveries

#: Passes between two rounds of tidying up.
TIDY_EVERY = 200

logger = logging.getLogger("errand.scheduler")


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    if settings.log_json:
        set_up(settings, "scheduler")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)


def run(settings: Settings, stop: threading.Event) -> None:
    duty = Duty(
        settings,
        kind=SCHEDULER,
        name=f"scheduler-{process_name()}",
        queues=(),
        process=this_process(),
        facts=lambda: Facts(memory_bytes=memory_of([os.getpid()])),
    )
    duty.stop = stop
    platform = Platform(settings.database_url, standstill_seconds=STANDSTILL_SECONDS)
    # Each in a thread of its own: what is due is due, however long anything else takes.
    threads = [
        threading.Thread(target=keep, args=(settings, platform, stop), name=name)
        for name, keep in (
            ("firing", keep_firing),
            ("hooks", keep_hooking),
            ("chains", keep_chaining),
            ("search", keep_indexing),
            ("tally", keep_tallying),
            ("retention", keep_pruning),
        )
    ]
    # A slow server must not keep this process from ending.
    threading.Thread(target=keep_synced, args=(settings, stop), name="syncs", daemon=True).start()
    for thread in threads:
        thread.start()
    sampler = Sampler()

    def after_pass(platform: Platform, number: int) -> None:
        sampler.run_once(platform)
        _tidy_at_times(settings, platform, number)

    duty.run(after_pass=after_pass)
    for thread in threads:
        thread.join()
    platform.dispose()


def _tidy_at_times(settings: Settings, platform: Platform, number: int) -> None:
    if number % TIDY_EVERY == 0:
        tidy(settings, platform)


def tidy(settings: Settings, platform: Platform) -> None:
    """Remove what nobody can use any more: sessions, links, processes that ended long ago, sealed inputs, old messages, deliveries of webhooks, files of no run."""
    with platform.session() as db:
        db.execute(delete(UserSession).where(UserSession.expires_at < now()))
        db.execute(delete(SignInLink).where(SignInLink.expires_at < now()))
        forget_gone(db)
        forget_sealed(db)
        db.commit()
        while seal(db) == BATCH:
            pass
    forget_old(platform)
    forget_old_deliveries(platform)
    forget_old_messages(platform)
    try:
        sweep(platform.engine, file_store(settings, platform.engine))
    except SettingsError as error:
        logger.error("Files that nobody needs any more stay: %s", error)


def forget_sealed(db: Session) -> None:
    """Have ended runs lose the sealed inputs that were kept long enough."""
    over = (
        or_(JobResult.kept_until < now(), JobResult.user_id.is_(None)),
        JobResult.kept_until.is_not(None),
        JobResult.status.in_(FINAL),
    )
    db.execute(update(JobResult).where(*over).values(kept_box=None, kept_until=None))
