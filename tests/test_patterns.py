"""No regular expression of ours takes longer than in proportion to what it is given, whoever wrote that.

Each is given texts that begin it over and over and never end it, by the way in which its module uses it. What takes time
that grows with the square of the length takes, at this length, many times what is allowed here: that is processor time,
of this process alone, so that a busy machine does not count.
"""

import ast
import importlib
import itertools
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from store.html import _SPAN
from store.settings import PROJECT_ROOT

LENGTH = 20_000
#: Of what a pattern is made of, the short parts first.
MOST_PIECES = 16
#: What is in proportion takes a hundredth.
MOST_SECONDS = 0.1

#: Ways that look for a text wherever it may begin; the others look at one place.
ANYWHERE = {"search", "sub", "subn", "findall", "finditer", "split"}
WAYS = ANYWHERE | {"match", "fullmatch"}

#: Never given what came from outside: (file, what of it): why.
NOT_FROM_OUTSIDE = {
    "store/urls.py": "addresses in the settings of the operator",
}

#: What stands in patterns that are put together where they are used: {(file, way): names and values, or why it is not tried}.
PUT_TOGETHER: dict[tuple[str, str], dict[str, Any] | str] = {
    ("jobs/form_template.py", "compile"): {"name": "script"},
    ("jobs/schleuder/plugins.py", "compile"): {"name": "backup"},
    (
        "jobs/slack_commands.py",
        "compile",
    ): "an author's own; texts are compared with a time limit (webapp/slack/matching.py)",
    ("jobs/slack_commands.py", "findall"): {"opening": r"\[", "closing": r"\]"},
    ("store/html.py", "compile"): {"wanted": f"a(?:{_SPAN})*+&lt;"},
    (
        "store/slack_settings.py",
        "compile",
    ): "an operator's own; it is only compiled here, and used with a time limit",
    ("webapp/cli/portal.py", "fullmatch"): {"pattern": r"/jobs/.+/values/.+"},
    ("webapp/slack/matching.py", "match"): {"bot_user": "U012AB"},
    ("worker/nautobot_testing.py", "search"): "an author's own, in tests of theirs",
}


class TooSlow(Exception):
    pass


class Use(NamedTuple):
    place: str
    pattern: "re.Pattern[Any]"
    way: str


def uses() -> Iterator[Use]:
    """Yield each pattern of the four rooms, with each way in which it is used where it is defined."""
    importlib.import_module("webapp.app")  # Its modules are imported in one order, from there.
    for room in ("jobs", "store", "worker", "webapp"):
        for path in sorted((PROJECT_ROOT / room).rglob("*.py")):
            name = path.relative_to(PROJECT_ROOT).as_posix()
            if not {"local", "served"} & set(path.parts) and name not in NOT_FROM_OUTSIDE:
                yield from _uses_in(path, name)


def _uses_in(path: Path, name: str) -> Iterator[Use]:
    source = path.read_text("utf-8")
    if "re." not in source:
        return
    tree = ast.parse(source)
    named = set(_named(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=way), args=[ast.Constant(value=pattern), *_]
            ) if way in WAYS:
                yield Use(f"{name}:{node.lineno}", re.compile(pattern), way)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=way), args=[given, *_]) if (
                way in WAYS or (way == "compile" and node not in named)
            ):
                yield from _put_together(name, way, node, given)
    if "re.compile" not in source or path.name in ("__main__.py", "wsgi.py"):
        return
    module = _module(name)
    for of, value in list(vars(module).items()):
        pattern = getattr(value, "__self__", None) if type(value) is type(len) else value
        if type(pattern) is not re.Pattern:
            continue
        ways = {way for way in WAYS if re.search(rf"\b{of}(?:\[[^\]]*\])?\s*\.{way}\b", source)}
        for way in ways or ({value.__name__} if value is not pattern else {"search"}):
            yield Use(f"{name}: {of}", pattern, way)


def _module(name: str) -> Any:
    return importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))


def _named(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what is compiled for a name of the module, by which it is found there."""
    for statement in tree.body:
        match statement:
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if value is not None:
                yield value.value if isinstance(value, ast.Attribute) else value


def _put_together(name: str, way: str, node: ast.Call, given: ast.expr) -> Iterator[Use]:
    """Yield what the expression of a pattern gives, with what stands for that which is only known where it is used."""
    values = PUT_TOGETHER.get((name, way), {})
    if isinstance(values, str):
        return
    pattern = eval(ast.unparse(given), dict(vars(_module(name))), dict(values))
    flags = re.IGNORECASE if "re.IGNORECASE" in ast.unparse(node) else re.RegexFlag(0)
    yield Use(f"{name}:{node.lineno}", re.compile(pattern, flags), "search" if way == "compile" else way)


def hostile(pattern: "re.Pattern[Any]") -> Iterator[str]:
    """Yield texts of LENGTH that begin like what the pattern is for, and go on with each of its parts for ever."""
    sample, pieces = _sample(parser.parse(pattern.pattern, pattern.flags))
    beginnings = {sample[:end] for end in range(1, min(len(sample), 12) + 1)}
    for beginning in sorted(beginnings | pieces):
        over = beginning * (LENGTH // len(beginning))
        yield over
        yield f"{over}\0"
    for beginning in sorted(beginnings):
        for piece in sorted(pieces):
            yield f"{beginning}{piece * (LENGTH // len(piece))}\0"
    marks = sorted({piece for piece in pieces if len(piece) == 1 and not piece.isalnum()})
    for first, second in itertools.permutations(marks, 2):
        yield f"{first}{second}" * (LENGTH // 2)


def _sample(parsed: Any) -> tuple[str, set[str]]:
    """Return a text as the pattern has it, and what its parts are made of."""
    text, pieces = "", {"x", " ", "0"}
    for kind, given in parsed:
        more, inside = "", set()
        if kind in (kinds.LITERAL, kinds.NOT_LITERAL):
            more = chr(given) if kind is kinds.LITERAL else "x" if given != ord("x") else "y"
        elif kind is kinds.IN:
            more = _one_of(given)
        elif kind is kinds.ANY:
            more = "x"
        elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            more, inside = _sample(given[2])
            more = more * max(1, min(given[0], 40))
        elif kind is kinds.SUBPATTERN:
            more, inside = _sample(given[3])
        elif kind is kinds.ATOMIC_GROUP:
            more, inside = _sample(given)
        elif kind is kinds.BRANCH:
            branches = [_sample(each) for each in given[1]]
            more, inside = branches[0][0], {piece for text_, of in branches for piece in (text_, *of)}
        text += more
        pieces |= {each for each in (more, *inside) if each}
    return text, set(sorted(pieces, key=lambda piece: (len(piece), piece))[:MOST_PIECES])


def _one_of(given: Any) -> str:
    """Return a character of a set."""
    if given[0][0] is kinds.NEGATE:
        taken = {chr(value) for kind, value in given[1:] if kind is kinds.LITERAL}
        return next(each for each in "x0 ,y" if each not in taken)
    kind, value = given[0]
    if kind is kinds.CATEGORY:
        return {kinds.CATEGORY_DIGIT: "0", kinds.CATEGORY_SPACE: " ", kinds.CATEGORY_NOT_WORD: "-"}.get(
            value, "a"
        )
    return chr(value if kind is kinds.LITERAL else value[0])


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise TooSlow once this process has computed for so long; a match looks for signals as it goes on."""

    def end(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def is_slow(pattern: "re.Pattern[Any]", way: str, given: str) -> bool:
    text: Any = given.encode("utf-8", "surrogatepass") if isinstance(pattern.pattern, bytes) else given
    try:
        with processor_time(MOST_SECONDS):
            if way in ANYWHERE:
                pattern.sub(text[:0], text)
            else:
                getattr(pattern, way)(text)
    except TooSlow:
        return True
    return False


def test_no_pattern_takes_longer_than_in_proportion():
    every = list(uses())
    found = {(use.pattern, use.way): use for use in every}
    assert len(found) > 120
    places = {use.place.partition(":")[0] for use in every}
    assert {name for (name, _), values in PUT_TOGETHER.items() if not isinstance(values, str)} <= places
    slow = [
        (use.place, use.way, given[:20])
        for use in found.values()
        for given in hostile(use.pattern)
        if is_slow(use.pattern, use.way, given)
    ]
    assert slow == []


def test_patterns_that_do_are_found():
    for pattern, way in (
        (r"(a+)+$", "match"),
        (r"\s*(-?\d+)?\s*", "fullmatch"),
        (r"(<a [^>]*?\bhref=)/", "sub"),
        (r"(\]\(\s*<?)(?!https?:)[^\s)]*:[^\s)]*", "sub"),
        (r'"(?:[^"\\]|\\.)*"', "findall"),
    ):
        compiled = re.compile(pattern)
        assert any(is_slow(compiled, way, given) for given in hostile(compiled)), pattern
