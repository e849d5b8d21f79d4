"""What every worker and scheduler does beside its work: say that it is here, reconcile, see who is gone, send messages."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from store.data_files import sync
from store.platform import Platform
from store.settings import Settings
from worker import approvals, plan_runs, schedule_approvals, suppressions
from worker.failpoints import reach
from worker.host import Process
from worker.pausing import paused_queues
from worker.postman import Postman
from worker.presence import IDLE, Presence, RollCall
from worker.profiles import remove_old_profiles
from worker.reconciler import Reconciler
from worker.run_files import folders_of, remove_stale_folders
from worker.slack.outbox import Outbox

#: Between two passes; and while a run seems to be lost, which must be known within 15 seconds of the death.
PASS_SECONDS = 2.0
SUSPICIOUS_PASS_SECONDS = 0.5

#: Passes between two looks for what died in the middle of a run.
FOLDERS_EVERY = 30

#: All writes of workers and reconcilers are short: one in which nothing happens for so long belongs to a process that
#: was stopped, and nobody could tell of it while it holds its locks.
STANDSTILL_SECONDS = 5.0

logger = logging.getLogger("errand.duty")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a process says of itself (see Presence.beat)."""

    state: str = IDLE
    result_id: UUID | None = None
    memory_bytes: int = 0
    done: int = 0
    failed: int = 0


class Duty:
    """Done over and over until `stop` is set. What it learns stands in `drain` and `paused`."""

    def __init__(
        self,
        settings: Settings,
        *,
        kind: str,
        name: str,
        queues: Sequence[str],
        process: Process,
        facts: Callable[[], Facts],
        labels: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._platform = Platform(settings.database_url, standstill_seconds=STANDSTILL_SECONDS)
        self._presence = Presence(
            self._platform, kind=kind, name=name, queues=queues, process=process, labels=labels
        )
        self._facts = facts
        messages = Platform(settings.database_url, standstill_seconds=STANDSTILL_SECONDS)
        self._postman = Postman(settings, messages)
        self._outbox = Outbox(settings, messages) if settings.slack.bot_token else None
        self.stop = threading.Event()
        #: Somebody wants this process to end after its run.
        self.drain = False
        #: Queues from which nothing is to be taken.
        self.paused: frozenset[str] = frozenset()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Do it in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="duty", daemon=True)
        self._thread.start()

    def end(self, *, wait_seconds: float = 5.0) -> None:
        """Stop, and say good-bye."""
        self.stop.set()
        if self._thread is not None:
            self._thread.join(wait_seconds)

    def run(self, after_pass: Callable[[Platform, int], None] | None = None) -> None:
        """Make passes until `stop` is set. after_pass: called with the number of each, and may write too."""
        self._init_clocks()
        # Those that began together need not go on together.
        wait = random.uniform(0.2, PASS_SECONDS)
        number = 0
        with suppress(SQLAlchemyError):
            self._beat()
        self._postman.start()
        if self._outbox is not None:
            self._outbox.start()
        while not self.stop.wait(wait):
            began_at = time.monotonic()
            try:
                self._pass()
                reach("duty.passed")
                if after_pass is not None:
                    after_pass(self._platform, number)
                if number % FOLDERS_EVERY == 0:
                    remove_stale_folders(self._platform.engine, folders_of(self._settings))
                    remove_old_profiles()
                    sync(self._settings, self._platform.engine)
                number += 1
            except SQLAlchemyError as error:
                # A database that restarts is back soon; what was missed is found in the next pass. The
                # clocks start anew: a beat that nobody could write proves nothing.
                logger.error("The database did not answer: %s", error)
                self._init_clocks()
            pause = SUSPICIOUS_PASS_SECONDS if self._reconciler.suspects else PASS_SECONDS
            wait = max(0.1, min(pause, self._next_seconds) - (time.monotonic() - began_at))
        if self._outbox is not None:
            self._outbox.end()
        self._postman.end()
        with suppress(SQLAlchemyError):
            self._presence.leave()
        self._platform.dispose()

    def _init_clocks(self) -> None:
        self._reconciler = Reconciler(self._settings, self._platform)
        self._roll_call = RollCall(self._platform)
        self._next_seconds = math.inf

    def _pass(self) -> None:
        self._beat()
        report = self._reconciler.run_once()
        self._next_seconds = report.next_seconds
        self._presence.reconciled()
        for result_id in report.pushed:
            logger.info("Pushed %s: its queue did not have it, or it may start only now.", result_id)
        for result_id in report.ended:
            logger.warning("Ended %s: its worker died.", result_id)
        for result_id in report.expired:
            logger.info("Canceled %s: it waited too long.", result_id)
        for result_id in approvals.expire(self._platform):
            logger.info("Canceled %s: nobody approved it in time.", result_id)
        for schedule_id in schedule_approvals.expire(self._platform):
            logger.info("The schedule %s makes no runs: nobody approved it in time.", schedule_id)
        for result_id in plan_runs.make_missing(self._platform, self._settings):
            logger.info("Run %s makes the plan of what waits for an approval.", result_id)
        suppressions.purge(self._platform)
        for name in self._roll_call.run_once():
            logger.warning("%s is gone without a word.", name)

    def _beat(self) -> None:
        facts = self._facts()
        self.drain = self._presence.beat(
            facts.state, facts.result_id, facts.memory_bytes, facts.done, facts.failed
        )
        with self._platform.reading() as db:
            self.paused = paused_queues(db)
