"""Tells Slack what is to be told of one request, and writes down how far that is."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from worker.failpoints import reach
from worker.slack import formats
from worker.slack.client import NotTaken
from worker.slack.line import Line
from worker.slack.steps import PROBLEM, REFUSED_BLOCKS, TRIES, Act, Facts, Step

#: Before what Slack did not take is tried again.
AGAIN = timedelta(seconds=1)

LONGEST_PROBLEM = 500

_ABOUT_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")

#: Writes values into the request's row, if that is still ours.
Write = Callable[..., bool]

logger = logging.getLogger("errand.slack")


class Teller:
    """One request in the hands of an outbox."""

    def __init__(
        self,
        facts: Facts,
        line: Line,
        write: Write,
        *,
        retries: int,
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._facts = facts
        self._line = line
        self._write = write
        self._retries = retries
        self._clock = clock
        self._stopping = stopping
        self._said: dict[str, Any] = dict(facts.request.said)
        #: When to go on with what could not be said now.
        self._later: list[datetime] = []

    def tell(self, steps: Sequence[Step]) -> None:
        """Do all that can be done now; leave the rest, if any, for later."""
        for step in steps:
            if self._stopping():
                self._later.append(self._clock())
                break
            if not self._do(step):
                break
        self._leave()

    def give_up(self, problem: str) -> None:
        self._close(problem)

    def _do(self, step: Step) -> bool:
        """Do it; False: nothing more is to be said now. What is needed keeps its order."""
        if until := self._line.rests_until(step):
            self._later.append(until)
            return not step.needed
        if step.needed and PROBLEM in self._said:
            return self._note(step, False)
        try:
            done = self._line.do(step, self._said)
        except NotTaken as refusal:
            return self._not_taken(step, refusal)
        reach("slack.said")
        return self._note(step, done)

    def _not_taken(self, step: Step, refusal: NotTaken) -> bool:
        why = str(refusal)
        if refusal.rest_seconds:
            self._later.append(self._clock() + timedelta(seconds=refusal.rest_seconds))
            return not step.needed
        if step.act is Act.REACT:
            return self._note(step, False)
        if step.needed and step.arguments.get("blocks") and why in _ABOUT_BLOCKS:
            # Other steps take the place of this one.
            self._later.append(self._clock())
            self._note_as(REFUSED_BLOCKS, True)
            return False
        tries = self._said.get(TRIES, {})
        if tries.get(step.name, 0) < self._retries:
            self._later.append(self._clock() + AGAIN)
            return self._note_as(TRIES, {**tries, step.name: tries.get(step.name, 0) + 1}) and not step.needed
        logger.error("Slack was not told (%s): %s", step.name, why)
        if step.needed:
            self._said[PROBLEM] = why[:LONGEST_PROBLEM]
            self._say_instead(step, why)
        return self._note(step, False)

    def _say_instead(self, step: Step, why: str) -> None:
        said = formats.not_sent(why, str(step.arguments.get("text") or "")).arguments()
        try:
            self._line.do(Step("instead", Act.SAY, step.channel, step.thread_ts, said), {})
        except NotTaken as refusal:
            logger.error("Nor that it was not told: %s", refusal)

    # --- How far it is ----------------------------------------------------------------------------------------

    def _note(self, step: Step, done: str | bool) -> bool:
        return self._note_as(step.name, done)

    def _note_as(self, name: str, value: Any) -> bool:
        self._said[name] = value
        return self._write(said=self._said, tries=sum(self._said.get(TRIES, {}).values()))

    def _leave(self) -> None:
        if not self._facts.ended:
            # How it ends is not to be told late because something else could not be said.
            self._write(next_try_at=self._clock() + AGAIN if self._later else None)
        elif self._later:
            self._write(next_try_at=min(self._later))
        else:
            self._close(str(self._said.get(PROBLEM) or ""))

    def _close(self, problem: str) -> None:
        state = "failed" if problem else "answered"
        self._write(state=state, problem=problem, answered_at=self._clock(), next_try_at=None)
