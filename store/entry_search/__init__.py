"""Search across the entries of all runs: what is looked for, and the index in which it is found."""

from pathlib import Path

from sqlalchemy import make_url

from store.entry_search.index import SLICE, Backlog, EntryIndex
from store.entry_search.on_postgres import PostgresIndex
from store.entry_search.on_sqlite import SqliteIndex
from store.entry_search.query import LONGEST_QUERY, BadQuery, Query, parse
from store.entry_search.words import plain_text

__all__ = [
    "LONGEST_QUERY",
    "SLICE",
    "Backlog",
    "BadQuery",
    "EntryIndex",
    "Query",
    "entry_index",
    "parse",
    "plain_text",
]


def entry_index(database_url: str) -> EntryIndex:
    """Return the index of the entries in this database. Nothing is opened yet."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return PostgresIndex()
    path = Path(str(url.database))
    return SqliteIndex(path.with_name(f"{path.stem}-search.db"))
