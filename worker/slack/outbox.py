"""Tells Slack of the runs that were asked for there: that they begin, that they wait, how they end.

Every worker and scheduler that knows the bot's token does, in a thread of its own. Who takes up a request writes down first
until when, and after each thing that was said that it was; one that dies leaves the rest to the next. So only what was
just being said when it died may be said twice, and nothing is lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, load_only

from store.files import FileStore, file_store
from store.models import FINAL, Approval, JobRecord, JobResult, SlackRequest, Status, now
from store.models.slack import UNANSWERED
from store.platform import Platform
from store.settings import Settings
from store.text import clean_text
from worker.failpoints import reach
from worker.redaction import Rules, load_rules
from worker.slack import formats
from worker.slack.line import Line
from worker.slack.output import output_of
from worker.slack.steps import REFUSED_BLOCKS, Facts, Step, at_the_end, before_the_end, open_steps, told_of
from worker.slack.teller import Teller

#: Between two looks.
LOOK_SECONDS = 0.5

#: Whoever has not said the next thing after so long is dead: it is four calls at most, of ten seconds.
LEASE = timedelta(seconds=60)

#: Seconds before the next try to write that something was said.
PAUSES = (0.2, 1, 4, 10)

#: What could not be said for so long is not said any more.
TOO_LATE = timedelta(days=1)

#: Plain messages are forgotten after so long; the others go with their runs.
KEPT = timedelta(days=30)

#: Of what runs there is something to say; one that waits on its queue is none.
_TELLING = (Status.RUNNING, Status.AWAITING_APPROVAL, *FINAL)

#: What has to be known to tell whether there is.
_LOOKED_AT = (
    load_only(
        JobResult.name,
        JobResult.class_path,
        JobResult.username,
        JobResult.status,
        JobResult.cause,
        JobResult.canceled_by,
        JobResult.started_at,
    ),
    load_only(JobRecord.dialect, JobRecord.slack_report, JobRecord.has_plan),
    load_only(Approval.decision, Approval.decided_by, Approval.comment),
)

_UNSYNCED = {"synchronize_session": False}

logger = logging.getLogger("errand.slack")


def say(db: Session, channel: str, text: str, thread_ts: str | None = None) -> None:
    """Have something be said in a channel as soon as may be. The caller commits.

    text: in Slack's markup; what others wrote goes through `formats.shown` first.
    """
    text = clean_text(text)[: formats.LONGEST_TEXT]
    db.add(SlackRequest(channel=channel, text=text, thread_ts=thread_ts))


class Outbox:
    def __init__(self, settings: Settings, platform: Platform, clock: Callable[[], datetime] = now) -> None:
        self._settings = settings
        self._platform = platform
        self._clock = clock
        self._line = Line(settings.slack, clock)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._repeat, name="slack-outbox", daemon=True)
        self._thread.start()

    def end(self, *, wait_seconds: float = 1.0) -> None:
        """Stop. What is just being said may be said again by another."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(wait_seconds)

    def look_once(self) -> int:
        """Say what is to be said; return of how many requests something was."""
        count = 0
        for number in self._due():
            if self._stop.is_set():
                break
            count += self._take_up(number)
        return count

    def _repeat(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look_once()
            except SQLAlchemyError as error:
                logger.error("The database did not answer: %s", error)
            except Exception:
                # One message that cannot be made must not end the thread, and with it all others.
                logger.exception("What Slack is to be told could not be made.")

    def _due(self) -> Sequence[int]:
        """Return the requests of which there is something to say, first those of runs that have ended."""
        moment = self._clock()
        ended_first = case((JobResult.status.in_(FINAL), 0), else_=1)
        telling = or_(SlackRequest.result_id.is_(None), JobResult.status.in_(_TELLING))
        query = _requests().where(telling, _is_due(moment)).order_by(ended_first, SlackRequest.id)
        with self._platform.reading() as db:
            found = [Facts(*row) for row in db.execute(query.options(*_LOOKED_AT)).all()]
            return [
                facts.request.id for facts in found if facts.ended or self._open_before_the_end(facts, moment)
            ]

    def _take_up(self, number: int) -> bool:
        moment = self._clock()
        lease = _Lease(self._platform, number, moment + LEASE, self._clock)
        if not lease.take(moment):
            return False
        reach("slack.taken")
        with self._platform.reading() as db:
            row = db.execute(_requests().where(SlackRequest.id == number)).one_or_none()
        if row is None:
            return True  # Its run was deleted.
        facts = Facts(*row)
        teller = Teller(
            facts,
            self._line,
            lease.write,
            retries=self._settings.slack.retries,
            clock=self._clock,
            stopping=self._stop.is_set,
        )
        if facts.ended_at is not None and moment - facts.ended_at > TOO_LATE:
            teller.give_up("For a day, nobody could tell Slack.")
        else:
            teller.tell(self._steps_of(facts))
        return True

    def _steps_of(self, facts: Facts) -> Sequence[Step]:
        """Return what is still to be said, in its order."""
        before = self._open_before_the_end(facts, self._clock())
        result = facts.result
        if result is None or not facts.ended:
            return before
        bot = self._line.bot_name() if result.status in (Status.FAILED, Status.ERRORED) else ""
        told = told_of(facts.request, result, facts.job, self._settings.slack, self._portal, bot)
        output = self._output_of(result, facts.job) if result.status == Status.COMPLETED else None
        said = facts.request.said
        reply = formats.reply(told, output, without_blocks=REFUSED_BLOCKS in said)
        return [*before, *open_steps(at_the_end(facts, self._settings.slack, reply), said)]

    def _open_before_the_end(self, facts: Facts, moment: datetime) -> Sequence[Step]:
        steps = before_the_end(facts, self._settings.slack, self._portal, moment)
        return open_steps(steps, facts.request.said)

    def _output_of(self, result: JobResult, job: JobRecord | None) -> formats.Output | None:
        with self._platform.reading() as db:
            return output_of(db, self._files, result, job, self._rules)

    @property
    def _portal(self) -> str:
        return self._settings.notices.url

    @cached_property
    def _files(self) -> FileStore:
        return file_store(self._settings, self._platform.engine)

    @cached_property
    def _rules(self) -> Rules:
        return load_rules(self._settings.redaction_file)


class _Lease:
    """A request that nobody else takes up as long as it is written to now and then."""

    def __init__(
        self, platform: Platform, number: int, until: datetime, clock: Callable[[], datetime]
    ) -> None:
        self._platform = platform
        self._number = number
        self._until = until
        self._clock = clock

    def take(self, moment: datetime) -> bool:
        """Take it; False: another has."""
        return self._written(_is_due(moment), next_try_at=self._until)

    def write(self, **values: Any) -> bool:
        """Write into it, and keep it unless next_try_at says until when not; False: it is ours no more."""
        values = {"next_try_at": self._clock() + LEASE, **values}
        mine = SlackRequest.next_try_at == self._until
        for pause in PAUSES:
            try:
                written = self._written(mine, **values)
                break
            except OperationalError:
                # A database that restarts is back soon, and what is not noted would be said twice.
                time.sleep(pause)
        else:
            written = self._written(mine, **values)
        self._until = values["next_try_at"]
        return written

    def _written(self, condition: Any, **values: Any) -> bool:
        where = (SlackRequest.id == self._number, UNANSWERED, condition)
        with self._platform.session() as db:
            written = db.execute(
                update(SlackRequest).where(*where).values(**values), execution_options=_UNSYNCED
            )
            db.commit()
        return bool(written.rowcount)  # type: ignore[attr-defined]


def forget_old_messages(platform: Platform) -> None:
    """Remove plain messages of long ago."""
    old = (SlackRequest.result_id.is_(None), SlackRequest.created_at < now() - KEPT)
    with platform.session() as db:
        db.execute(delete(SlackRequest).where(*old), execution_options=_UNSYNCED)
        db.commit()


def _is_due(moment: datetime) -> Any:
    return or_(SlackRequest.next_try_at.is_(None), SlackRequest.next_try_at <= moment)


def _requests() -> Any:
    """Return the query for those that wait, with all that is known of each (see Facts)."""
    return (
        select(SlackRequest, JobResult, JobRecord, Approval)
        .outerjoin(JobResult, JobResult.id == SlackRequest.result_id)
        .outerjoin(JobRecord, JobRecord.id == JobResult.job_id)
        .outerjoin(Approval, Approval.result_id == JobResult.id)
        .where(UNANSWERED)
    )
