"""Keeps the index of all entries: the scheduler follows them, beside whoever writes them (see store.entry_search)."""

import threading
import time
from collections.abc import Callable

from store.entry_search import SLICE, EntryIndex, entry_index
from store.platform import Platform
from store.settings import Settings
from worker.passes import PASS_SECONDS, keep_looking

#: After a slice it waits three times as long as that took, and this: there are others who need the machine.
SHARE = 3
LEAST_PAUSE_SECONDS = 0.01


def keep_indexing(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Follow the entries until `stop` is set."""
    index = entry_index(settings.database_url)

    def look() -> float:
        began_at = time.monotonic()
        more = index_some(platform, index) == SLICE
        took = time.monotonic() - began_at
        return SHARE * took + LEAST_PAUSE_SECONDS if more else PASS_SECONDS

    keep_looking(look, stop)


def index_some(platform: Platform, index: EntryIndex) -> int:
    """Take along what was removed, and add one slice; return how many entries that were."""
    # First: on SQLite a removal may have set numbers free that entries to come will have.
    while index.forget_removed(platform):
        pass
    return index.add_slice(platform)


def index_all(platform: Platform, index: EntryIndex, say: Callable[[int], None] = lambda _: None) -> int:
    """Add all that is missing, and return how many entries that were. say: called with how many there are so far."""
    count = 0
    while added := index_some(platform, index):
        count += added
        say(count)
    return count


def rebuild(platform: Platform, index: EntryIndex, say: Callable[[int], None] = lambda _: None) -> int:
    """Make the index anew; return how many entries are in it."""
    index.clear(platform)
    return index_all(platform, index, say)
