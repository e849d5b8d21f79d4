"""What a run says loses its secrets before it is stored: the values of its own secret inputs, then what rules find."""

import base64
import html
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from jobs.lifecycle import DEEPEST_VALUE
from store.text import clean_text, entry_text
from worker.redaction import REPLACEMENT, Redaction, Rules

#: Shorter ones stay: every other word would be full of holes, and whoever knows where could guess them.
SHORTEST_SECRET = 4


class Mask:
    """Takes the secrets out of what one run says.

    The rules look for credentials in messages only: a value that another program reads must not lose a word because it
    looks like one.
    """

    def __init__(self, rules: Rules, secrets: Collection[str] = (), *, forms: Sequence[str] = ()) -> None:
        """forms: of secrets that are known to all runs, as `forms_of` returns them."""
        self._redaction = Redaction(rules)
        self._may_match = self._redaction.may_match
        self._forms = list(forms)
        if secrets:
            self.hide(secrets)

    def hide(self, secrets: Collection[str]) -> None:
        """Mask these values too, from now on."""
        self._forms = _longest_first({*self._forms, *forms_of(secrets)})

    def message(self, text: str, *, cut: bool = False) -> str:
        """Return a clean message without secret values, and without what the rules find."""
        # Every entry passes here, and nearly all of them have nothing to hide.
        if self._forms:
            text = self.text(text, cut=cut)
        return self._redaction.apply(text) if self._may_match(text) else text

    def text(self, text: str, *, cut: bool = False) -> str:
        """Return a clean text without secret values. cut: it may end with the beginning of one."""
        for form in self._forms if cut else ():
            start = _begins_at(text, form)
            # What ends with all of it may end with its beginning, too.
            if start is not None and not text.endswith(form):
                text = text[:start] + REPLACEMENT
        # Not one pattern for all of them: `in` stays quick on every text and with every value.
        for form in self._forms:
            if form in text:
                text = text.replace(form, REPLACEMENT)
        return text

    def url(self, url: str) -> str | None:
        """Return a link that hides nothing; None for any other: without a part of it, it would lead elsewhere."""
        return url if self.text(url) == url else None

    def data(self, value: Any) -> Any:
        """Return a JSON value with every text in it, names too, cleaned and masked.

        What is nested deeper than a run may keep is None.
        """
        return self._data(value, 0)

    def _data(self, value: Any, depth: int) -> Any:
        match value:
            case str():
                return self.text(clean_text(value))
            case list() | dict() if depth >= DEEPEST_VALUE:
                return None
            case list():
                return [self._data(item, depth + 1) for item in value]
            case dict():
                return dict(self._members(value, depth + 1))
            case bool() | None:
                return value
        return self._number(value)

    def _number(self, value: Any) -> Any:
        if not self._forms:
            return value
        text = str(value)
        # They are sorted: a short number holds none.
        if len(text) < len(self._forms[-1]):
            return value
        masked = self.text(text)
        return value if masked == text else masked

    def _members(self, value: dict[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
        taken: set[str] = set()
        for key, member in value.items():
            name = _unlike(self.text(clean_text(str(key))), taken)
            taken.add(name)
            yield name, self._data(member, depth)


def _unlike(name: str, taken: set[str]) -> str:
    """Return a name that is not taken: two of them may have become alike, and neither value may get lost."""
    number, unlike = 1, name
    while unlike in taken:
        number += 1
        unlike = f"{name} ({number})"
    return unlike


# The forms in which a value may appear


def forms_of(secrets: Iterable[str]) -> list[str]:
    """Return all the ways in which these values may be written, the longest first."""
    return _longest_first({form for secret in secrets for form in _forms_of(secret)})


def _longest_first(forms: Iterable[str]) -> list[str]:
    # What is part of the replacement would be replaced in it.
    kept = {form for form in forms if len(form) >= SHORTEST_SECRET and form not in REPLACEMENT}
    return sorted(kept, key=lambda form: (-len(form), form))


def _forms_of(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST_SECRET:
        return
    yield from _spelled(secret)
    # Programs say line by line what has several, and some indent them.
    for line in secret.splitlines():
        yield from _spelled(line.strip())
    for quoted in _quoted(secret):
        yield quoted
        yield _in_small_hex(quoted)
    data = secret.encode("utf-8", "surrogatepass")
    yield from _in_base64(data)
    yield from _in_lines_of_base64(data)
    yield data.hex()
    yield data.hex().upper()


def _spelled(text: str) -> Iterator[str]:
    """Yield how a text is written: as it is, as it is stored, in JSON, in Python."""
    yield text
    yield clean_text(text)
    yield entry_text(text)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield html.escape(text)
    yield html.escape(text, quote=False)
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield escaped.replace("/", "\\/")
        yield "".join(f"\\u{ord(c):04x}" if c in "<>&" else c for c in escaped)


def _quoted(secret: str) -> Iterator[str]:
    ways: list[Callable[..., str]] = [quote, quote_plus]
    for way in ways:
        # The last: what browsers leave alone.
        for safe in ("", "/", "!'()*"):
            yield way(secret, safe=safe, errors="surrogatepass")


def _in_small_hex(quoted: str) -> str:
    first, *others = quoted.split("%")
    return "%".join([first, *(other[:2].lower() + other[2:] for other in others)])


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield the value in base64, alone and as a part of something longer, such as `user:password`."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode()
        yield alone
        yield alone.rstrip("=")
        for before in range(3):
            # A character holds six bits: of those at the edges, neighbors decide about some.
            first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
            yield encode(bytes(before) + data).decode()[first:last]


def _in_lines_of_base64(data: bytes) -> Iterator[str]:
    """Yield the lines in which mails and files of keys have what is long."""
    whole = base64.b64encode(data).decode()
    for width in (76, 64):
        if len(whole) > width:
            lines = (whole[start : start + width] for start in range(0, len(whole), width))
            # The last may be short, and anything.
            yield from (line for line in lines if len(line) >= 16)


def _begins_at(text: str, form: str) -> int | None:
    """Return where in a text the beginning of `form` stands that is cut off by its end."""
    beginning = form[:SHORTEST_SECRET]
    start = text.find(beginning, max(0, len(text) - len(form) + 1))
    while start != -1 and not form.startswith(text[start:]):
        start = text.find(beginning, start + 1)
    return None if start == -1 else start
