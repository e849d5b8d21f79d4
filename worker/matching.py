"""Rules that a request has to fit: `payload.ref equals refs/heads/main`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.values import REGEX_SECONDS
from worker.references import OF_DELIVERY, BadReference, check_path, look_up

OPERATORS = ("equals", "not equals", "contains", "starts with", "matches", "exists")
MOST_RULES = 20
LONGEST_VALUE = 500
#: Of what a rule looks at.
LONGEST_TEXT = 10_000

_RULE = re.compile(rf"(\S+)\s+({'|'.join(OPERATORS)})(?:\s+(\S.*))?", re.IGNORECASE)


class BadRule(Exception):
    """A rule that means nothing, as a sentence."""


@dataclass(frozen=True, slots=True)
class Rule:
    #: From where: "payload.ref", "headers.X-GitHub-Event".
    path: str
    operator: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.operator} {self.value}".rstrip()

    def why_not(self, facts: Mapping[str, Any]) -> str:
        """Return why a request does not fit; "" where it does. facts: as worker.payloads has them."""
        try:
            found = look_up(self.path, facts)
        except BadReference:
            return "" if self.operator == "not equals" else f"There is no {self.path}."
        if self.operator == "exists":
            return ""
        try:
            fits = self._fits(found)
        except TimeoutError:
            return f"{self.path} could not be held against the pattern in time."
        return "" if fits else f"{self.path} is {_shown(found)}."

    def _fits(self, found: Any) -> bool:
        text = _text(found)
        match self.operator:
            case "equals":
                return text == self.value
            case "not equals":
                return text != self.value
            case "contains" if isinstance(found, list):
                return any(_text(item) == self.value for item in found)
            case "contains":
                return self.value in text
            case "starts with":
                return text.startswith(self.value)
        return _matches(self.value, text[:LONGEST_TEXT])


def read_rule(line: str) -> Rule:
    """Read a rule as somebody writes it. Raises BadRule."""
    found = _RULE.fullmatch(line.strip())
    if found is None:
        raise BadRule(f"Write where, how and what: one of {', '.join(OPERATORS)} in the middle.")
    rule = Rule(found[1], found[2].lower(), (found[3] or "").strip())
    try:
        check_path(rule.path, OF_DELIVERY)
    except BadReference as error:
        raise BadRule(str(error)) from error
    if problem := _problem(rule):
        raise BadRule(problem)
    return rule


def _problem(rule: Rule) -> str:
    if rule.operator == "exists" and rule.value:
        return "Nothing follows exists."
    if rule.operator != "exists" and not rule.value:
        return f"Say what follows {rule.operator}."
    if len(rule.value) > LONGEST_VALUE:
        return f"Use at most {LONGEST_VALUE} characters to compare with."
    return _problem_of_pattern(rule.value) if rule.operator == "matches" else ""


def _problem_of_pattern(pattern: str) -> str:
    # Imported here: only those who write or apply patterns need its memory.
    import regex as timed_regex

    try:
        timed_regex.compile(pattern)
    except (timed_regex.error, RecursionError, OverflowError) as error:
        return f"This is not a regular expression: {error}."
    return ""


def _matches(pattern: str, text: str) -> bool:
    # A pattern that takes exponential time must not stall the web: this engine can be stopped.
    import regex as timed_regex

    return timed_regex.search(pattern, text, timeout=REGEX_SECONDS) is not None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
