"""A bounded memory for what costs more to make than to keep."""

import sys
import threading
from collections import OrderedDict


class RecentTexts:
    """Keeps texts by the texts they were made of, up to `most_bytes`; what was not asked for longest goes first.

    Any thread may use it. None waits for another, and none hangs in a process that was forked while another
    thread was here: who does not get in goes without.
    """

    def __init__(self, most_bytes: int, longest: int) -> None:
        self._most_bytes = most_bytes
        self._longest = longest
        self._bytes = 0
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> str | None:
        """Return what was kept for `text`, if it still is."""
        if len(text) > self._longest or not self._lock.acquire(blocking=False):
            return None
        try:
            made = self._kept.get(text)
            if made is not None:
                self._kept.move_to_end(text)
            return made
        finally:
            self._lock.release()

    def keep(self, text: str, made: str) -> None:
        """Remember `made` for `text`, unless that is too long to be worth it."""
        if len(text) > self._longest or not self._lock.acquire(blocking=False):
            return
        try:
            if text not in self._kept:
                self._kept[text] = made
                self._bytes += _size(text, made)
            while self._bytes > self._most_bytes:
                self._bytes -= _size(*self._kept.popitem(last=False))
        finally:
            self._lock.release()


def _size(text: str, made: str) -> int:
    return sys.getsizeof(text) + sys.getsizeof(made)
