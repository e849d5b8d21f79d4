"""A run that is followed by the API: its entries as they arrive, why it waits, how far it is, and its end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webapp.cli.asking import tell
from webapp.cli.following import why_its_queue_waits
from webapp.cli.portal import Portal, Refusal

#: How long the portal is to hold back an answer while nothing is new.
NEWS_SECONDS = 20

#: Where a bar moves meanwhile, or a Ctrl-C is to be heeded.
GLANCE_SECONDS = 1

#: What is answered sooner, although there is nothing new, was not held back.
SOON_SECONDS = 0.1

#: How a portal is that may be back soon; 0: it cannot be reached. For so long it is asked again.
AWAY = (0, 429, 502, 503, 504)
PATIENCE_SECONDS = 60

#: Entries that are asked for at once.
PAGE = 500

WAITING = ("pending", "awaiting_approval")

Said = Mapping[str, Any]


@dataclass(slots=True)
class Watching:
    portal: Portal
    result_id: str
    #: What is done with each entry, as the API has it.
    entry: Callable[[Said], None]
    #: What is done with the result, again and again while the run goes on; None: nobody looks at it.
    look: Callable[[Said], None] | None = None
    #: What the API can narrow entries by: `level`, `q`.
    only: Mapping[str, Any] = field(default_factory=dict)
    _after: int = 0
    _runs: bool = False
    _told: set[str] = field(default_factory=set)

    def until_now(self) -> None:
        """Read what has been logged so far."""
        while self._read()["next"]:
            pass

    def until_final(self) -> Said:
        """Read on until the run has ended, and return its result."""
        wait = 0
        while True:
            # It says whether the run had ended before it says what was logged: the last look misses nothing.
            part = self._read(wait)
            if part["next"]:
                continue
            if part["finished"]:
                return self._result()
            self._glance()
            wait = NEWS_SECONDS if self.look is None else GLANCE_SECONDS

    def _glance(self) -> None:
        if self.look is None and self._runs:
            return
        result = self._result()
        self._runs = result["status"] not in WAITING
        self._say_why_it_waits(result)
        if self.look is not None:
            self.look(result)

    def _result(self) -> Said:
        return self._get(f"/results/{self.result_id}")

    def _read(self, wait: int = 0) -> Said:
        began = time.monotonic()
        part: Said = self.portal.get(
            f"/results/{self.result_id}/entries",
            after=self._after,
            limit=PAGE,
            wait=wait or None,
            **self.only,
        )
        for each in part["results"]:
            self.entry(each)
        self._after = part["last_seq"]
        if wait and not part["results"] and time.monotonic() - began < SOON_SECONDS:
            # The portal has no room for more who wait.
            time.sleep(GLANCE_SECONDS)
        return part

    def _get(self, path: str, **query: Any) -> Said:
        """Ask, and ask again for a while where the portal is away: the run goes on meanwhile."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                found: Said = self.portal.get(path, **query)
                return found
            except Refusal as refusal:
                if refusal.status not in AWAY or not self.portal.remote or time.monotonic() > end:
                    raise
                self._tell_once(f"{refusal.message} Trying again.")
                time.sleep(GLANCE_SECONDS)

    def _say_why_it_waits(self, result: Said) -> None:
        if result["status"] not in WAITING:
            return
        if why := result["cause"] or result["note"] or self._why_its_queue_waits(result["queue"]):
            self._tell_once(why)

    def _why_its_queue_waits(self, name: str) -> str | None:
        try:
            queues = list(self.portal.every("/queues"))
        except Refusal:
            return None  # Not everybody may see them, and nobody needs to.
        found = next((each for each in queues if each["name"] == name), None)
        if found is None:
            return None
        return why_its_queue_waits(name, paused=found["paused"], workers=found["workers"])

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            tell(sentence)
