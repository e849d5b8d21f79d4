"""Objects for processes that are no run: what inputs are checked against."""

from collections.abc import Iterator
from contextlib import contextmanager

from store.data import Data
from store.objects import ObjectLookup
from store.plugins import load_plugins
from store.settings import Settings

_opened: dict[Settings, Data] = {}


@contextmanager
def object_lookup(settings: Settings) -> Iterator[ObjectLookup]:
    """Give a reading view of the DATA database with the models of all plugins."""
    with open_data(settings).session() as session:
        yield ObjectLookup(session)


def open_data(settings: Settings) -> Data:
    """Return this process's DATA database, the plugins loaded."""
    data = _opened.get(settings)
    if data is None:
        load_plugins(settings)
        data = _opened.setdefault(settings, Data(settings.data_database_url))
    return data


def close_data() -> None:
    """Close what `open_data` opened. A process that ends need not: this is for one that goes on."""
    while _opened:
        _, data = _opened.popitem()
        data.dispose()
