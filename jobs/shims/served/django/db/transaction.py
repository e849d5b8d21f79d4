"""Parts of a run's changes that are kept, or taken back, as one."""

from collections.abc import Callable
from typing import Any

from store.savepoint import after_commit, savepoint


def atomic(using: Any = None, savepoint: bool = True, durable: bool = False) -> Any:
    """Return what is a decorator and a context manager at once; `atomic` itself may decorate, too."""
    return _block()(using) if callable(using) else _block()


def on_commit(func: Callable[[], Any], using: Any = None, robust: bool = False) -> None:
    """Call the function when the run has saved its changes; never, if it does not save them."""
    after_commit(func)


_block = savepoint
