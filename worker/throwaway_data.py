"""A throw-away DATA database in memory, for tests of jobs: each begins as if nothing had been stored before.

A copy of the database as it should be at the beginning is kept, and put in its place in a fraction of a millisecond:
making the tables takes a hundred times as long. Runs commit and roll back in earnest.
"""

import atexit
import contextvars
import functools
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Literal

from store.data import Data, RunSession
from store.object_model import ObjectModel
from store.plugins import Plugin, load_named
from store.settings import plugin_names

#: SQLite's file system in memory (since 3.36): unlike with `:memory:`, several connections see the same database.
URI = "file:/errand-throwaway?vfs=memdb"

#: Nobody else works on the database; who waits at all waits for himself.
WAIT_SECONDS = 1.0

Image = Literal["empty", "demo"]


class ThrowawayData:
    """The database, and the session that the test itself uses. One for a process."""

    def __init__(self) -> None:
        # Without a connection the database would be gone.
        self._database = sqlite3.connect(URI, uri=True, check_same_thread=False)
        self.data = Data(f"sqlite:///{URI}&uri=true")
        self._images: dict[Image, sqlite3.Connection] = {}
        #: How many tables were known when the plugins were last looked for.
        self._known_tables = 0
        self._plugins: list[Plugin] = []
        self._standing = ExitStack()
        self._test_session: RunSession | None = None
        self.is_open = False
        #: Counts how often the database has begun anew.
        self.beginnings = 0
        #: What jobs keep from one run to the next, by job and key, as JSON: it begins anew with the database.
        self.kept: dict[str, dict[str, str]] = {}

    @property
    def session(self) -> RunSession:
        if self._test_session is None:
            raise RuntimeError("The throw-away database has not begun yet.")
        return self._test_session

    @contextmanager
    def opened(self, *, load_demo: bool) -> Iterator[RunSession]:
        """Begin anew, and make the test's session the current one."""
        if self.is_open:
            raise RuntimeError(
                "This test's database is open already: blocks of errand_data cannot be nested."
            )
        self._begin("demo" if load_demo else "empty")
        with self.run_session() as session:
            self._test_session, self.is_open = session, True
            try:
                yield session
            finally:
                self.is_open = False

    def begin(self) -> None:
        """Begin anew for a run outside of all blocks; the session is there for whoever looks at what it did."""
        self._begin("empty")
        self._test_session = self._aside(self._standing.enter_context, self.run_session())

    def add_missing_tables(self) -> None:
        """Make the tables of models that were imported after the database began, by a job file, say."""
        if len(ObjectModel.metadata.tables) == self._known_tables:
            return
        self._find_plugins()
        self.session.commit()
        ObjectModel.metadata.create_all(self.data.engine)

    def close(self) -> None:
        self._aside(self._standing.close)
        self._drop_images()
        self.data.dispose()
        self._database.close()

    def _begin(self, image: Image) -> None:
        self._aside(self._standing.close)
        if len(ObjectModel.metadata.tables) != self._known_tables:
            self._find_plugins()
        self.beginnings += 1
        self.kept.clear()
        self._image(image).backup(self._database)

    def run_session(self) -> AbstractContextManager[RunSession]:
        return self.data.run_session(wait_seconds=WAIT_SECONDS, on_wait=lambda: None)

    def _image(self, image: Image) -> sqlite3.Connection:
        if image not in self._images:
            with sqlite3.connect(":memory:") as nothing:
                nothing.backup(self._database)
            nothing.close()
            ObjectModel.metadata.create_all(self.data.engine)
            if image == "demo":
                self._load_demo()
            kept = self._images[image] = sqlite3.connect(":memory:", check_same_thread=False)
            self._database.backup(kept)
        return self._images[image]

    def _load_demo(self) -> None:
        loaders = [plugin.load_demo for plugin in self._plugins if plugin.load_demo is not None]
        if not loaders:
            raise RuntimeError(
                "No plugin with demo objects is loaded: import its models, or name it in ERRAND_PLUGINS."
            )
        for load in loaders:
            load(self.data)

    def _find_plugins(self) -> None:
        self._plugins = load_named(plugin_packages())
        self._known_tables = len(ObjectModel.metadata.tables)
        self._drop_images()

    def _drop_images(self) -> None:
        while self._images:
            self._images.popitem()[1].close()

    # A session that stays open must not become the current one of its caller.
    _aside = staticmethod(lambda function, *arguments: contextvars.copy_context().run(function, *arguments))


@functools.cache
def throwaway_data() -> ThrowawayData:
    """Return the database of this process, made on first use."""
    made = ThrowawayData()
    atexit.register(made.close)
    return made


def plugin_packages() -> list[str]:
    """Return the names of the plugin packages that ERRAND_PLUGINS names, and of those whose models are in use."""
    # Not `load_settings`: a test is no reason to make an instance folder.
    return list(dict.fromkeys([*plugin_names(os.environ, {}), *_imported_plugins()]))


def _imported_plugins() -> Iterator[str]:
    """Yield the plugin packages whose models somebody has imported, a test or a job file."""
    for mapper in ObjectModel.registry.mappers:
        package = mapper.class_.__module__
        while package := package.rpartition(".")[0]:
            if isinstance(getattr(sys.modules.get(package), "plugin", None), Plugin):
                yield package
                break
