"""Takes measures one after the other, each on a fresh instance, and lets nothing stand that it has started."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks import servers
from benchmarks.catalog import MEASURES
from benchmarks.figures import Figure, NotMeasured, WentWrong
from benchmarks.plan import Plan
from benchmarks.site import site

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """One measure on one database: its figures, or why there are none."""

    measure: str
    database: str
    figures: Sequence[Figure] = ()
    skipped: str = ""
    broke: str = ""

    @property
    def held(self) -> bool:
        return not self.broke and all(figure.held for figure in self.figures)


def take(
    measures: Sequence[str], databases: Sequence[str], plan: Plan, *, inside: Path | None, say: Say
) -> Iterator[Taken]:
    """Take each measure on each database; `say` hears what is going on.

    inside: the folder, and so the disk, in which the instances are made.
    """
    # Alembic tells of every migration of every instance.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for database in databases:
        with server(database) as (postgres_url, missing):
            for measure in measures:
                if missing:
                    yield Taken(measure, database, skipped=missing)
                    continue
                say(f"{database}: {measure}...")
                yield _take_one(measure, database, plan, postgres_url, inside, say)


@contextmanager
def server(database: str) -> Iterator[tuple[str | None, str]]:
    """Give the URL of a server where the database needs one, and why there is none."""
    if database != "postgres":
        yield None, ""
        return
    own = servers.postgres()
    try:
        url = own.__enter__()
    except NotMeasured as reason:
        yield None, str(reason)
        return
    try:
        yield url, ""
    finally:
        own.__exit__(None, None, None)


def _take_one(
    name: str, database: str, plan: Plan, postgres_url: str | None, inside: Path | None, say: Say
) -> Taken:
    measure: Callable[..., Iterable[Figure]] = getattr(
        import_module(MEASURES[name].module), MEASURES[name].function
    )

    def figures() -> Iterable[Figure]:
        with site(plan, postgres_url=postgres_url, inside=inside) as place:
            yield from measure(place)

    return taken(name, database, lambda: _said(figures(), say), say)


def _said(figures: Iterable[Figure], say: Say) -> Iterable[Figure]:
    """Say each figure as it comes: a measure may take many minutes, and be ended before its last."""
    for figure in figures:
        say(f"  {figure.label}: {figure.ours:.4g} {figure.unit}, {'ok' if figure.held else 'MISSED'}")
        yield figure


def taken(name: str, database: str, figures: Callable[[], Iterable[Figure]], say: Say) -> Taken:
    """Return what comes of a measure, whatever that is."""
    try:
        return Taken(name, database, figures=list(figures()))
    except NotMeasured as reason:
        return Taken(name, database, skipped=str(reason))
    except WentWrong as error:
        return Taken(name, database, broke=str(error))
    except Exception as error:
        # Whatever it is, it must not cost the figures of the measures before and after.
        say(traceback.format_exc())
        return Taken(name, database, broke=f"{type(error).__name__}: {error}")
