"""Parts of pages that are made once: of many who watch one run, all are shown the same lines."""

from collections.abc import Callable, Hashable

from flask import Flask

MOST = 4_000
LONGEST = 4_000


class Fragments:
    """What was rendered last, for `{% call remembered(key) %}`. The key holds all that the text depends on."""

    def __init__(self, most: int = MOST, longest: int = LONGEST) -> None:
        self._most = most
        self._longest = longest
        self._known: dict[Hashable, str] = {}

    def __call__(self, key: Hashable, caller: Callable[[], str]) -> str:
        text = self._known.get(key)
        if text is None:
            text = caller()
            if len(text) <= self._longest:
                self._known[key] = text
            while len(self._known) > self._most:
                # The oldest goes. Another thread may have taken it away already.
                self._known.pop(next(iter(self._known), None), None)
        return text


def init_app(app: Flask) -> None:
    app.jinja_env.globals["remembered"] = Fragments()
