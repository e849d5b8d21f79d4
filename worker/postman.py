"""Sends what waits to be sent, in threads of its own: no run and no duty waits for a mail server.

Every worker and scheduler has a postman. Who takes up a message writes that down first, and until when; a postman that
dies leaves it to the next. So a message may arrive twice, which its mark tells, and is never lost.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, undefer

from store.lockbox import CannotUnlock, unlock
from store.models import Channel, Delivery, JobResult, RunReport, User, now
from store.models.notice import DUE
from store.notices import OUTPUT
from store.permissions import allowed
from store.platform import Platform
from store.settings import Settings
from store.text import clean_text
from worker import notices
from worker.failpoints import reach
from worker.messages import NO_REPORT, Told
from worker.outside import WHOLE_SECONDS
from worker.sending import Trouble, Undeliverable

#: Between two looks for what happened, and for what is due.
NOTE_SECONDS = SEND_SECONDS = 2.0

#: Seconds after each try that failed, before the next; then it is given up.
PAUSES = (10, 30, 120, 600, 3_600, 21_600)

#: Whoever has not sent a message after so long is dead.
LEASE = timedelta(seconds=3 * WHOLE_SECONDS)

#: To one place so many in a row; then it is the others' turn.
MOST_IN_A_ROW = 3

#: A place that cannot be reached is left alone for so many seconds, then for twice as many, and so on.
SHORTEST_REST, LONGEST_REST = 10, 300

KEPT = timedelta(days=30)
SLICE = 500
MOST_ANSWERS, LONGEST_ANSWER = 20, 500

logger = logging.getLogger("errand.postman")


class Postman:
    """Notes what is to be told, and sends it."""

    def __init__(self, settings: Settings, platform: Platform, clock: Callable[[], datetime] = now) -> None:
        self._settings = settings
        self._platform = platform
        self._clock = clock
        #: {place: (times in a row it could not be reached, until when it is left alone)}
        self._rests: dict[str, tuple[int, datetime]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for act, seconds in ((self.note_once, NOTE_SECONDS), (self.send_once, SEND_SECONDS)):
            thread = threading.Thread(
                target=self._repeat, args=(act, seconds), name=f"postman-{act.__name__}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def end(self, *, wait_seconds: float = 1.0) -> None:
        """Stop. What is just being sent may be sent again by another."""
        self._stop.set()
        for thread in self._threads:
            thread.join(wait_seconds)
        self._platform.dispose()

    def note_once(self) -> int:
        return notices.note_all(self._platform, self._settings)

    def send_once(self) -> int:
        """Send what is due, a few to each place; return how many were tried."""
        tried: dict[str, int] = {}
        while not self._stop.is_set():
            moment = self._clock()
            resting = {place for place, (_, until) in self._rests.items() if until > moment}
            full = {place for place, count in tried.items() if count >= MOST_IN_A_ROW}
            delivery = self._take(moment, resting | full)
            if delivery is None:
                break
            place = _place(delivery)
            tried[place] = tried.get(place, 0) + 1
            self._deliver(delivery, place)
        return sum(tried.values())

    def _repeat(self, act: Callable[[], int], seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                while act() and not self._stop.is_set():
                    pass
            except SQLAlchemyError as error:
                logger.error("The database did not answer: %s", error)
            except Exception:
                # One message that cannot be made must not end the thread, and with it all others.
                logger.exception("A message could not be made or sent.")

    def _take(self, moment: datetime, without: set[str]) -> Delivery | None:
        """Take up the message that has waited longest; None where there is none for a place that is free."""
        query = select(Delivery.id, Delivery.attempts).where(DUE, Delivery.next_try_at <= moment)
        if self._settings.notices.mail is None:
            # Another process may know the mail server.
            without = {*without, "mail"}
        for place in without:
            query = query.where(
                Delivery.target.not_like("mail:%") if place == "mail" else Delivery.target != place
            )
        with self._platform.reading() as db:
            rows = db.execute(query.order_by(Delivery.next_try_at).limit(5)).all()
        for number, attempts in rows:
            if delivery := self._claim(number, attempts, moment):
                return delivery
        return None

    def _claim(self, number: int, attempts: int, moment: datetime) -> Delivery | None:
        mine = (Delivery.id == number, Delivery.attempts == attempts, DUE, Delivery.next_try_at <= moment)
        taken = {"attempts": attempts + 1, "tries": Delivery.tries + 1, "next_try_at": moment + LEASE}
        with self._platform.session() as db:
            written = db.execute(update(Delivery).where(*mine).values(**taken), execution_options=_UNSYNCED)
            if not written.rowcount:  # type: ignore[attr-defined]
                return None
            db.commit()
        reach("postman.taken")
        with self._platform.reading() as db:
            channel = joinedload(Delivery.channel)
            options = (undefer(Delivery.box), channel.undefer(Channel.box), channel.joinedload(Channel.user))
            return db.scalars(select(Delivery).where(Delivery.id == number).options(*options)).one_or_none()

    def _deliver(self, delivery: Delivery, place: str) -> None:
        try:
            answer = self._sent(delivery)
        except Undeliverable as error:
            self._write(delivery, str(error), state="gave_up", box=None)
        except Trouble as error:
            if error.whole:
                self._let_rest(place, error.retry_after)
            self._write(delivery, str(error), **self._again(delivery, error.retry_after))
        except CannotUnlock as error:
            self._write(delivery, str(error), state="gave_up", box=None)
        else:
            self._rests.pop(place, None)
            reach("postman.sent")
            self._write(delivery, answer, state="sent", sent_at=self._clock(), box=None)

    def _sent(self, delivery: Delivery) -> str:
        """Send it; return what was answered. Raises Trouble, Undeliverable, CannotUnlock."""
        # Imported here: most processes never send anything.
        from worker import channels, mail

        settings, key = self._settings.notices, self._settings.secret_key
        if reason := self._why_not(delivery):
            raise Undeliverable(reason)
        if _is_to_person(delivery) and settings.mail is not None:
            secret = unlock(key, delivery.box) if delivery.box else {}
            return mail.send(settings.mail, delivery, settings.url, secret, self._report(delivery))
        box = unlock(key, delivery.channel.box) if delivery.channel else {}
        if delivery.via == "mail" and delivery.channel:
            return channels.send_mail(settings, delivery, delivery.channel, box, self._report(delivery))
        send = channels.send_slack if delivery.via == "slack" else channels.send_webhook
        return send(settings, delivery, box)

    def _report(self, delivery: Delivery) -> Told:
        """Return what the run has reported, if the message tells of its end. It is copied nowhere."""
        result_id = (delivery.content.get("result") or {}).get("id")
        if delivery.event not in ("ended", OUTPUT) or not result_id:
            return NO_REPORT
        # Imported here: it brings all that makes HTML.
        from store.reports.files import first_line, for_mail

        try:
            with self._platform.reading() as db:
                query = select(RunReport.data).where(RunReport.result_id == UUID(result_id))
                report = db.scalar(query)
        except ValueError:
            return NO_REPORT
        if not report:
            return NO_REPORT
        if delivery.event == "ended":
            return Told(*for_mail(report, self._settings.notices.url))
        _, *others = report["pieces"]
        told = for_mail({"pieces": others}, self._settings.notices.url)
        return Told(*told, subject=first_line(report) or delivery.title)

    def _why_not(self, delivery: Delivery) -> str:
        """Say why a message is not to be sent any more; "" where it is. It may have waited for hours."""
        channel = delivery.channel
        to_person = _is_to_person(delivery)
        if not to_person and (channel is None or not channel.enabled):
            return "This channel is not there any more, or is off."
        user_id = delivery.user_id if to_person else channel and channel.user_id
        with self._platform.reading() as db:
            user = db.get(User, user_id) if user_id else None
            if user is None or not user.active:
                return "Who is told, or answers for the channel, has no account any more."
            if delivery.result_id and delivery.event != "invitation":
                result = db.get(JobResult, delivery.result_id)
                if result is not None and not allowed(user, "view", result):
                    return f"{user.username} may not see this run any more."
        return ""

    def _let_rest(self, place: str, seconds: int) -> None:
        times = self._rests.get(place, (0, None))[0] + 1
        rest = min(LONGEST_REST, max(seconds, SHORTEST_REST * 2 ** min(times - 1, 10)))
        self._rests[place] = (times, self._clock() + timedelta(seconds=rest))

    def _again(self, delivery: Delivery, seconds: int) -> dict[str, Any]:
        """Return when it is tried again, if it is."""
        if delivery.tries > len(PAUSES):
            return {"state": "gave_up", "box": None}
        pause = max(PAUSES[delivery.tries - 1], min(seconds, LONGEST_REST))
        return {"state": "failed", "next_try_at": self._clock() + timedelta(seconds=pause)}

    def _write(self, delivery: Delivery, answer: str, **values: Any) -> None:
        """Write what came of it, unless it was taken for dead meanwhile."""
        said = clean_text(answer)[:LONGEST_ANSWER]
        answers = [*delivery.answers, {"at": self._clock().isoformat(), "answer": said}][-MOST_ANSWERS:]
        mine = (Delivery.id == delivery.id, Delivery.attempts == delivery.attempts)
        change = update(Delivery).where(*mine).values(last_answer=said, answers=answers, **values)
        with self._platform.session() as db:
            db.execute(change, execution_options=_UNSYNCED)
            db.commit()


_UNSYNCED = {"synchronize_session": False}


def _place(delivery: Delivery) -> str:
    """Return what is unreachable when this message cannot be sent."""
    return "mail" if _is_to_person(delivery) else delivery.target


def _is_to_person(delivery: Delivery) -> bool:
    """Tell whether it goes by the portal's own mail server; a channel may have one of its own."""
    return delivery.target.startswith("mail:")


def send_again(db: Session, delivery: Delivery) -> bool:
    """Have a message sent, or shown, once more. The caller commits. False: it is on its way, or held a link that is wiped."""
    over = (Delivery.state.in_(("sent", "failed", "gave_up")), Delivery.event != "invitation")
    values = {"state": "waiting", "tries": 0, "next_try_at": now(), "sent_at": None}
    written = db.execute(
        update(Delivery).where(Delivery.id == delivery.id, *over).values(**values),
        execution_options=_UNSYNCED,
    )
    return bool(written.rowcount)  # type: ignore[attr-defined]


def forget_old(platform: Platform) -> int:
    """Remove messages of long ago, a few at a time: others write meanwhile."""
    removed = 0
    while True:
        with platform.session() as db:
            old = select(Delivery.id).where(Delivery.created_at < now() - KEPT).order_by(Delivery.created_at)
            gone = db.execute(
                delete(Delivery).where(Delivery.id.in_(old.limit(SLICE))), execution_options=_UNSYNCED
            )
            db.commit()
        count: int = gone.rowcount  # type: ignore[attr-defined]
        removed += count
        if count < SLICE:
            return removed
