"""What a job keeps between its runs, as its process sees it: it asks its worker for each value (see worker.job_values).

Values travel as JSON text. Each is written at once, whatever becomes of the run; a dry run writes to itself alone.
"""

import json
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from contextlib import suppress
from typing import Any, Protocol

from jobs.files import in_units
from store.text import clean_text

#: What the column takes, in characters.
LONGEST_KEY = 200

#: Of one value, as JSON in ASCII.
MOST_BYTES = 64 * 1024

Answer = dict[str, Any]


class Line(Protocol):
    """How the worker is asked."""

    def ask(self, *question: Any) -> Any: ...


class Values(MutableMapping[str, Any]):
    """The values as a mapping for the job: `self.store`. Raises ValueError, with a sentence, for what is not kept."""

    def __init__(self, line: Line, *, keeps: bool) -> None:
        self._line = line
        #: What a dry run wrote: {key: JSON text, or None where it was deleted}.
        self._own: dict[str, str | None] | None = None if keeps else {}

    def __getitem__(self, key: str) -> Any:
        check_key(key)
        if self._own is not None and key in self._own:
            text = self._own[key]
        else:
            text = self._ask("get", key).get("text")
        if text is None:
            raise KeyError(key)
        return json.loads(text)

    def __setitem__(self, key: str, value: Any) -> None:
        check_key(key)
        text = json_of(key, value)
        if self._own is None:
            self._ask("set", key, text)
        else:
            self._own[key] = text

    def __delitem__(self, key: str) -> None:
        check_key(key)
        if self._own is None:
            if not self._ask("delete", key)["found"]:
                raise KeyError(key)
        elif key in self:
            self._own[key] = None
        else:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        keys = set(self._ask("keys")["keys"])
        for key, text in (self._own or {}).items():
            keys = keys - {key} if text is None else keys | {key}
        return iter(sorted(keys))

    def __len__(self) -> int:
        return len(list(iter(self)))

    # Between a question and the next, another run or a person may delete a value: what goes through them all, or wants one
    # gone, does not break over it.

    def items(self) -> ItemsView[str, Any]:
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        return _ValuesOf(self)

    def pop(self, key: str, *default: Any) -> Any:
        try:
            value = self[key]
        except KeyError:
            if default:
                return default[0]
            raise
        with suppress(KeyError):
            del self[key]
        return value

    def clear(self) -> None:
        for key in self:
            self.pop(key, None)

    def _ask(self, act: str, key: str = "", text: str = "") -> Answer:
        answer: Answer = self._line.ask("value", act, key, text)
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return answer


class _Items(ItemsView[str, Any]):
    def __init__(self, kept: Values) -> None:
        super().__init__(kept)
        self._kept = kept

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for key in self._kept:
            try:
                value = self._kept[key]
            except KeyError:
                continue
            yield key, value


class _ValuesOf(ValuesView[Any]):
    def __init__(self, kept: Values) -> None:
        super().__init__(kept)
        self._kept = kept

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._kept.items())


def check_key(key: Any) -> None:
    """Raise TypeError or ValueError for what is no key."""
    if not isinstance(key, str):
        raise TypeError(f"A key is text, not {type(key).__name__}.")
    if not 0 < len(key) <= LONGEST_KEY or clean_text(key) != key:
        raise ValueError(f"A key is text of 1 to {LONGEST_KEY} characters, all of them visible.")


def json_of(key: str, value: Any) -> str:
    """Return a value as the JSON in which it is kept. Raises ValueError, with a sentence, for what is not kept."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{key} was not kept: its value does not fit into JSON: {error}.") from error
    if len(text) > MOST_BYTES:
        raise ValueError(f"{key} was not kept: a value has at most {in_units(MOST_BYTES)} as JSON.")
    return text
