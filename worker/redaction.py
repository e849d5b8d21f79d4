"""Rules that take credentials out of what a run says: patterns, and what stands where they were found.

An administrator may name a file of other rules (ERRAND_REDACTION). What a text loses, it loses before it is stored.
"""

import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store.settings import SettingsError

# Imported where it is used: a worker whose runs say nothing of credentials does not need its memory.
if TYPE_CHECKING:
    from regex import Pattern

REPLACEMENT = "(redacted)"

#: What stands for the default rules in a file of rules, alone on its line.
DEFAULTS = "defaults"

#: Seconds a rule may take on one text.
RULE_SECONDS = 2.0

#: What is tried to find in a text in vain so often is not tried again in the same run.
MOST_FAILURES = 5

# Both patterns take time in proportion to the text, whatever it is: they begin only where a word begins, or at a
# name, and possessive quantifiers and atomic groups take nothing back. tests/worker/test_masking.py tries.

#: `https://alice:password@host` and `alice@host` lose what stands before the `@`; a scheme, and a mark before it, stay.
_BEFORE_AT = r"""(?x)
    (?<!\S)
    ( (?> (?: [^\s@:]++ | :(?!//) )*+ :// | ["'`<\[{*]*+ ) )
    \S+ @
"""

#: `password: word`, `password is word`, `DB_PASSWORD="two words"`, `{"secret": "word"}` and `--password word` lose the
#: word, or what stands in the quotes.
_AFTER_NAME = r"""(?x)
    (
        (?: username | password | passwd | pwd | secret ) s?+
        ["'`*]{0,3}+                                              # The name may be in quotes, or bold,
        (?: [^\S\n]++ is \b )?+
        (?:
            \s*+ [:=]{1,2}+ >?+ (?: [*`]{1,3}+ (?=\s) )?+ \s*+     # and a sign follows,
          | [^\S\n]++ (?: [-|] >?+ [^\S\n]++ )?+                 # or only blanks, a dash, a table's line.
        )
    )
    (?:
        (["'`]) (?: \\. | (?!\2) [^\\\n] )*+ (?=\2)
      | \S++
    )
"""

logger = logging.getLogger("errand.worker")


@dataclass(eq=False, slots=True)
class Rule:
    """What is looked for in texts, whatever their letters' case, and what comes in its place."""

    pattern: "Pattern[str]"
    #: `\1` stands for a group, as in `re.sub`.
    replacement: str
    #: Where the rule was written, for people.
    place: str
    #: Its failure was told already.
    told: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    #: None: the default rules alone, which are compiled when they are needed.
    own: tuple[Rule, ...] | None = None
    seconds: float = RULE_SECONDS

    @property
    def all(self) -> tuple[Rule, ...]:
        return default_rules() if self.own is None else self.own

    @property
    def may_match(self) -> Callable[[str], bool]:
        """Return what tells whether to try the rules on a text at all: it is asked for every entry."""
        if self.own is None:
            return names_credentials
        return bool if self.own else lambda _: False


def names_credentials(text: str) -> bool:
    """Tell whether a default rule may find something."""
    # Without a pattern, and without a call of another function: most of what this takes would be that.
    if "@" in text:
        return True
    small = text.lower()
    return "passw" in small or "secret" in small or "username" in small or "pwd" in small


@functools.cache
def default_rules() -> tuple[Rule, ...]:
    return (
        _rule(_BEFORE_AT, r"\1{replacement}@", "the default rule for what stands before @"),
        _rule(_AFTER_NAME, r"\1\2{replacement}", "the default rule for passwords"),
    )


def load_rules(path: Path | None) -> Rules:
    """Return the rules in a file (docs/running.md has its format); without one, the defaults. Raises SettingsError."""
    if path is None:
        return Rules()
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"ERRAND_REDACTION names {path}, which cannot be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"ERRAND_REDACTION, {path}, line {line}: this is no text in UTF-8.") from error
    return Rules(tuple(_rules_of(path, text)))


def _rules_of(path: Path, text: str) -> Iterator[Rule]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line == DEFAULTS:
            yield from default_rules()
            continue
        pattern, arrow, replacement = f"{line} ".rpartition(" => ")
        try:
            yield _rule(
                pattern if arrow else line,
                replacement.strip() if arrow else "{replacement}",
                f"line {number} of {path}",
            )
        except ValueError as error:
            raise SettingsError(f"ERRAND_REDACTION, {path}, line {number}: {error}.") from error


def _rule(pattern: str, replacement: str, place: str) -> Rule:
    """Compile a rule. Raises ValueError with a clause for whoever wrote it."""
    import regex as timed_regex

    replacement = replacement.replace("{replacement}", REPLACEMENT)
    try:
        compiled = timed_regex.compile(pattern, timed_regex.IGNORECASE)
    except (timed_regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the pattern cannot be used: {error}") from error
    try:
        # It has the same groups, and it matches at once: the replacement is tried without a text.
        timed_regex.compile(f"|{pattern}", timed_regex.IGNORECASE).sub(replacement, "")
    except (timed_regex.error, IndexError) as error:
        raise ValueError(f"the replacement cannot be used: {error}") from error
    if compiled.search("") is not None:
        raise ValueError("the pattern matches where nothing stands, and so everywhere")
    return Rule(compiled, replacement, place)


class Redaction:
    """The rules at work in one run. A rule that fails is left out of that text: what a run says is kept all the same."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._failures: dict[Rule, int] = {}
        self.may_match = rules.may_match

    def apply(self, text: str) -> str:
        for rule in self._rules.all:
            if self._failures.get(rule, 0) < MOST_FAILURES:
                text = self._applied(rule, text)
        return text

    def _applied(self, rule: Rule, text: str) -> str:
        try:
            return rule.pattern.sub(rule.replacement, text, timeout=self._rules.seconds)
        except Exception as error:
            # NB-74: "a failing pattern is skipped, not fatal". It takes too long, or there is no memory for it.
            self._failures[rule] = self._failures.get(rule, 0) + 1
            if not rule.told:
                rule.told = True
                logger.warning(
                    "A text of a run was not redacted by %s: %s.",
                    rule.place,
                    f"it took longer than {self._rules.seconds:g} seconds"
                    if isinstance(error, TimeoutError)
                    else type(error).__name__,
                )
            return text
