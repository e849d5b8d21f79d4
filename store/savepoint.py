"""Parts of a run's changes: taken back as one, and what is done once they are saved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from store.data import RunSession, current_session, only


@contextmanager
def savepoint() -> Iterator[None]:
    """Within this block changes belong together: an exception takes them back, and only them.

    Objects that were changed and not saved are left alone on the way in and on the way out.
    """
    session = current_session()
    acts = session.after_commit if isinstance(session, RunSession) else []
    asked_before = len(acts)
    with only(session, None):
        nested = session.begin_nested()
    try:
        yield
    except BaseException:
        if nested.is_active:
            with only(session, None):
                nested.rollback()
        del acts[asked_before:]
        raise
    if nested.is_active:
        with only(session, None):
            nested.commit()


def after_commit(act: Callable[[], Any]) -> None:
    """Call this once the run's changes are saved; where nothing is saved, it is never called."""
    session = current_session()
    if isinstance(session, RunSession):
        session.after_commit.append(act)
