"""What somebody looks for in all entries: words, "phrases", -not, prefix*."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from store.entry_search.words import Word, placed_words, words_of

LONGEST_QUERY = 200
MOST_TERMS = 16
#: With fewer letters before its star a word would stand for half of all there are.
SHORTEST_PREFIX = 2

_TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"]+))(?=\s|$)')


class BadQuery(ValueError):
    """What cannot be looked for, as a sentence."""


class Term(NamedTuple):
    """Words that follow one another; `10.0.0.1` and `rtr-01` are several, too."""

    words: tuple[str, ...]
    #: The last one may go on.
    begins: bool
    negated: bool


class Query(NamedTuple):
    terms: tuple[Term, ...]

    def as_fts5(self) -> str:
        wanted, unwanted = (" ".join(map(_fts5, each)) for each in self._parted())
        either = " OR ".join(map(_fts5, self._parted()[1]))
        return f"({wanted}) NOT ({either})" if unwanted else wanted

    def as_tsquery(self) -> str:
        return " & ".join(("!" if term.negated else "") + _tsquery(term) for term in self.terms)

    def marked(self, text: str) -> list[tuple[int, int]]:
        """Return where in a text something stands that is looked for."""
        words = list(placed_words(text))
        wanted = self._parted()[0]
        spans = [span for at in range(len(words)) for term in wanted if (span := _span(term, words, at))]
        return _joined(spans)

    def _parted(self) -> tuple[list[Term], list[Term]]:
        return [t for t in self.terms if not t.negated], [t for t in self.terms if t.negated]


def parse(text: str) -> Query:
    """Read a query. Raises BadQuery; no words at all are bad, too."""
    text = text.strip()
    if len(text) > LONGEST_QUERY:
        raise BadQuery(f"This is too long: write at most {LONGEST_QUERY} characters.")
    if text.count('"') % 2:
        raise BadQuery('A quotation mark is missing: write phrases "like this".')
    terms, place = [], 0
    for found in _TERM.finditer(text):
        if text[place : found.start()].strip():
            break
        terms.append(_term(*found.groups()))
        place = found.end()
    if rest := text[place:].strip():
        raise BadQuery(f"Before and after a phrase leave a space: it is not clear what {rest[:40]} means.")
    if len(terms) > MOST_TERMS:
        raise BadQuery(f"These are too many words: write at most {MOST_TERMS}.")
    if not any(not term.negated for term in terms):
        raise BadQuery("Write a word that is to be there, and not only words that are not.")
    return Query(tuple(terms))


def _term(minus: str, phrase: str | None, word: str | None) -> Term:
    begins = False
    if phrase is None:
        phrase = word or ""
        begins = phrase.endswith("*")
        if "*" in phrase.removesuffix("*"):
            raise BadQuery(f"In {phrase} a star may only be the last character.")
    words = tuple(words_of(phrase))
    if not words:
        raise BadQuery(f"In {phrase or 'an empty phrase'} there is no letter and no digit to look for.")
    if begins and len("".join(words)) < SHORTEST_PREFIX:
        raise BadQuery(f"Before a star write at least {SHORTEST_PREFIX} letters or digits.")
    return Term(words, begins, bool(minus))


def _fts5(term: Term) -> str:
    return f'"{" ".join(term.words)}"{" *" if term.begins else ""}'


def _tsquery(term: Term) -> str:
    return "(" + " <-> ".join(term.words) + (":*)" if term.begins else ")")


def _span(term: Term, words: Sequence[Word], at: int) -> tuple[int, int] | None:
    """Return where a term stands in a text if it begins with the word at `at`."""
    found = words[at : at + len(term.words)]
    if len(found) < len(term.words) or any(
        word.folded != wanted for word, wanted in zip(found[:-1], term.words, strict=False)
    ):
        return None
    last, wanted = found[-1].folded, term.words[-1]
    fits = last.startswith(wanted) if term.begins else last == wanted
    return (found[0].start, found[-1].end) if fits else None


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
