"""Objects for processes that are no run: what inputs are checked against."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from store.data import Data
from store.objects import ObjectLookup
from store.plugins import load_plugins
from store.settings import Settings


@contextmanager
def object_lookup(settings: Settings) -> Iterator[ObjectLookup]:
    """Give a reading view of the DATA database with the models of all plugins."""
    with open_data(settings).session() as session:
        yield ObjectLookup(session)


@functools.cache
def open_data(settings: Settings) -> Data:
    """Return this process's DATA database, the plugins loaded."""
    load_plugins(settings)
    return Data(settings.data_database_url)
