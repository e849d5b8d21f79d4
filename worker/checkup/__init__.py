"""A look at every moving part of an instance: what works, what does not, and what to do about that."""

from collections.abc import Callable, Iterable, Iterator

from store.platform import Platform
from store.settings import Settings
from worker.checkup.databases import databases
from worker.checkup.finding import BAD, OK, WARN, Finding
from worker.checkup.machine import machine
from worker.checkup.outside import outside
from worker.checkup.redis_server import redis_server
from worker.checkup.running import running

__all__ = ["BAD", "OK", "WARN", "Finding", "look"]


def look(settings: Settings) -> Iterator[Finding]:
    """Yield what is to say of each part, as it becomes known."""
    yield from _of("machine", lambda: machine(settings))
    usable = True
    for finding in _of("database", lambda: databases(settings)):
        usable = usable and not (finding.state == BAD and finding.part == "database")
        yield finding
    yield from _of("redis", lambda: redis_server(settings))
    if usable:
        platform = Platform(settings.database_url)
        try:
            yield from _of("portal", lambda: running(settings, platform))
            yield from _of("outside", lambda: outside(settings, platform))
        finally:
            platform.dispose()


def _of(part: str, checks: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what checks find. One that breaks is a finding, too, and ends no other part."""
    try:
        yield from checks()
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        yield Finding(part, BAD, f"This could not be looked at: {type(error).__name__}: {said}")
