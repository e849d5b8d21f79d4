"""Lines for a shell, as the documentation has them: what each would call, held against the commands and addresses there are."""

import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

import click
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

_ENDS = frozenset({"|", "||", "&&", ";", ">", ">>", "<", "&"})
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_CHOICE = re.compile(r"[\[\]…]|\.\.\.")
_SENDS = frozenset({"-d", "--data", "--data-binary", "-F", "--form", "--json"})


def calls(text: str) -> Iterator[list[str]]:
    """Yield what is called, as words, those in `$(...)` and after pipes, too."""
    text = re.sub(r"\\\n\s*", " ", text)
    for line in text.splitlines():
        for inner in re.findall(r"\$\(([^()]+)\)", line):
            yield from _calls(inner)
        yield from _calls(re.sub(r"\$\([^()]+\)", "IT", line))


def _calls(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += ":,@%+=…[]{}$!^#"
    lexer.commenters = ""
    words: list[str] = []
    for word in _before_comment(lexer):
        if word in _ENDS:
            yield from _call(words)
            words = []
        else:
            words.append(word)
    yield from _call(words)


def _before_comment(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        if word == "#":
            return
        yield word


def _call(words: list[str]) -> Iterator[list[str]]:
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    if words:
        yield words


def wrong_with_command(root: click.Command, words: list[str]) -> str:
    """Return what is wrong with a call of `./errand`; empty: it has a command, and options, that there are.

    Brackets around what may be left out, and dots, say nothing.
    """
    words = [plain for word in words if (plain := _CHOICE.sub("", word))]
    if words[:1] == ["test"]:
        return ""  # The launcher's own; it hands all else to pytest.
    # Click keeps the option for help as the first context that asks for it wants it, for all that come later.
    context = click.Context(root, info_name="./errand", **root.context_settings)
    command = root
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        context, command, words = click.Context(found, context, info_name=words[0]), found, words[1:]
    try:
        _, left, _ = command.make_parser(context).parse_args(list(words))
    except click.UsageError as error:
        return error.format_message()
    return f"what is {left}?" if left and not command.allow_extra_args else ""


def wrong_with_curl(rules: Map, words: list[str]) -> str:
    """Return what is wrong with a call of curl to a portal; empty: there is such an address, and it takes that method."""
    address = next((word for word in words if word.startswith(("http://", "https://"))), "")
    method = "POST" if _SENDS & set(words) else "GET"
    for flag in ("-X", "--request"):
        if flag in words:
            method = words[words.index(flag) + 1]
    if not address:
        return ""  # It stands in a variable.
    try:
        rules.bind("localhost").match(urlsplit(address).path, method)
    except HTTPException as error:
        return f"{method} {address}: {error.name}"
    return ""
