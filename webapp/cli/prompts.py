"""Inputs asked for at a terminal, one variable after the other, as the job's form would."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from jobs.data import UNKNOWN, empty_of, is_nothing
from jobs.errors import InvalidData, InvalidValue
from jobs.kinds import from_description
from jobs.showing import in_order, is_shown, refusal, sources
from jobs.variables import flat_choices, resolve_params
from store import objects
from store.settings import Settings
from store.text import clean_text, entry_text
from webapp.cli.asking import file_at, tell
from worker.lookups import object_lookup, open_data
from worker.questions import Questions

#: Of a longer list of choices only the first are shown; all of them count.
MOST_SHOWN = 50

#: Of what a search finds.
MOST_FOUND = 10

#: A line that ends text of several lines.
END = "."

#: What an ObjectVar's explicit "none" is given as.
NULL = "null"

_YES_OR_NO = {"y": True, "n": False}


def at_a_terminal() -> bool:
    return sys.stdin.isatty()


class Prompts:
    """Asks for what was not given on the command line, each input after those it depends on."""

    def __init__(
        self,
        settings: Settings,
        variables: Sequence[Mapping[str, Any]],
        questions: Questions,
        given: Mapping[str, Any],
    ) -> None:
        """questions: asked for what the job computes."""
        self._settings = settings
        self._variables = in_order(variables)
        self._questions = questions
        self._given = given
        #: What was answered, as `worker.submit` takes it.
        self.answers: dict[str, Any] = {}
        #: As far as is known: what is stored, and what is not asked for.
        self._values: dict[str, Any] = {}
        self._hidden: set[str] = set()
        self._complaints: dict[str, list[str]] = {}

    def check_given(self) -> None:
        """Raise InvalidData for what was given and does not fit: nobody should answer questions in vain."""
        known = {variable["name"] for variable in self._variables}
        errors = {name: [UNKNOWN] for name in self._given if name not in known}
        for variable in self._variables:
            name = variable["name"]
            # What depends on others is checked when they are known.
            if name not in self._given or sources(variable):
                continue
            try:
                self._check(self._completed(variable, ("choices",)), self._given[name])
            except InvalidValue as error:
                errors[name] = [str(error)]
        if errors:
            raise InvalidData(errors)

    def ask_all(self) -> None:
        """Ask for everything that is asked for and not known yet. Raises InvalidData for what was given in vain."""
        self._values, self._hidden = {}, set()
        for variable in self._variables:
            if is_shown(variable, self._values, self._hidden):
                self._have(variable)
            else:
                self._leave_out(variable)

    def ask_again(self, error: InvalidData) -> bool:
        """Ask once more for what does not fit; False when something else than an answer is to blame."""
        if not isinstance(error.errors, dict) or not error.errors.keys() <= self.answers.keys():
            return False
        for name in error.errors:
            del self.answers[name]
        self._complaints = dict(error.errors)
        self.ask_all()
        return True

    def _have(self, variable: Mapping[str, Any]) -> None:
        name = variable["name"]
        if name in self._given:
            try:
                described = self._completed(variable, ("choices",))
                self._values[name] = self._check(described, self._given[name])
            except InvalidValue as error:
                raise InvalidData({name: [str(error)]}) from error
            return
        if name in self.answers:
            # What was answered before may not fit any more when something else was answered anew.
            try:
                described = self._completed(variable, ("choices",))
                self._values[name] = self._check(described, self.answers[name])
                return
            except InvalidValue as error:
                self._complaints.setdefault(name, [str(error)])
                del self.answers[name]
        self._ask(self._completed(variable))

    def _leave_out(self, variable: Mapping[str, Any]) -> None:
        name = variable["name"]
        if name in self._given and not is_nothing(variable, self._given[name]):
            raise InvalidData({name: [refusal(variable, self._variables)]})
        self.answers.pop(name, None)
        self._hidden.add(name)
        self._values[name] = empty_of(from_description(variable))

    def _completed(self, variable: Mapping[str, Any], *options: Any) -> dict[str, Any]:
        self._questions.renew_time()
        return self._questions.complete(variable, self._values, *options)

    def _ask(self, variable: Mapping[str, Any]) -> None:
        """Ask for one variable until the answer fits."""
        for sentence in self._complaints.pop(variable["name"], ()):
            tell(sentence)
        self._introduce(variable)
        siblings = self._siblings()
        while True:
            try:
                answer = _kind(variable)(self._settings, variable, siblings)
                self._values[variable["name"]] = self._check(variable, answer)
            except InvalidValue as error:
                tell(str(error))
            else:
                self.answers[variable["name"]] = answer
                return

    def _introduce(self, variable: Mapping[str, Any]) -> None:
        click.echo(err=True)
        if variable.get("description"):
            tell(variable["description"])
        for problem in self._questions.problems.get(variable["name"], ()):
            tell(problem)

    def _check(self, variable: Mapping[str, Any], value: Any) -> Any:
        with object_lookup(self._settings) as lookup:
            return from_description(variable).clean(value, lookup, self._siblings())

    def _siblings(self) -> dict[str, Any]:
        known = {**self._given, **self.answers}
        return {
            **known,
            **{name: value for name, value in self._values.items() if known.get(name) != NULL},
        }


# --- Kinds: each asks once, and returns a JSON value; InvalidValue with a sentence when it cannot ---


Kind = Callable[[Settings, Mapping[str, Any], Mapping[str, Any]], Any]


def _kind(variable: Mapping[str, Any]) -> Kind:
    if "model" in variable:
        return _objects if _is_multiple(variable) else _object
    kinds: dict[str, Kind] = {
        "TextVar": _text,
        "BooleanVar": _yes_or_no,
        "DryRunVar": _yes_or_no,
        "ChoiceVar": _choice,
        "MultiChoiceVar": _choices,
        "SecretVar": _secret,
        "DataFileVar": _choice,
        "FileVar": _path,
    }
    return kinds.get(variable["type"], _line)


def _line(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    default = variable.get("default")
    return _prompt(variable, _as_text(variable, default)) or default


def _secret(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    return _prompt(variable, hidden=True) or variable.get("default")


def _path(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    path = _prompt(variable, word="path of a file")
    return file_at(path) if path else None


def _text(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    default = variable.get("default")
    kept = f", {END} alone keeps: {_on_one_line(default)}" if default else ""
    tell(f"{_label(variable)} (several lines, the last one {END}{kept}):")
    lines = list(iter(_read_line, END))
    return "\n".join(lines) if lines else default


def _yes_or_no(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    default = variable.get("default") is True
    answer = _prompt(variable, "y" if default else "n", word="y/n").strip().lower()
    return _YES_OR_NO.get(answer, answer) if answer else default


def _choice(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    choices = _shown_choices(variable)
    default = variable.get("default")
    answer = _prompt(variable, _as_text(variable, default))
    return _chosen(choices, answer) if answer else default


def _choices(_settings: Settings, variable: Mapping[str, Any], _siblings: Mapping[str, Any]) -> Any:
    choices = _shown_choices(variable)
    default = variable.get("default")
    answer = _prompt(variable, _as_text(variable, default), word="several with commas")
    if answer in dict(choices):
        return [answer]  # A value that has a comma in itself.
    return [_chosen(choices, part) for part in _parts(answer)] if answer else default


def _object(settings: Settings, variable: Mapping[str, Any], siblings: Mapping[str, Any]) -> Any:
    default = variable.get("default")
    answer = _prompt(variable, _name_of(settings, variable, default), word=_object_word(variable))
    return _found(settings, variable, answer, siblings) if answer else default


def _objects(settings: Settings, variable: Mapping[str, Any], siblings: Mapping[str, Any]) -> Any:
    default = variable.get("default")
    keys = default if isinstance(default, list) else []
    names = ", ".join(_name_of(settings, variable, key) for key in keys)
    answer = _prompt(variable, names, word=f"{_object_word(variable)}, several with commas")
    return [_found(settings, variable, part, siblings) for part in _parts(answer)] if answer else default


# --- Choices ---


def _shown_choices(variable: Mapping[str, Any]) -> list[tuple[str, str]]:
    choices = [(str(value), str(label)) for value, label in flat_choices(variable.get("choices") or ())]
    _list(label if label == value else f"{label} ({value})" for value, label in choices[:MOST_SHOWN])
    if len(choices) > MOST_SHOWN:
        tell(f"     and {len(choices) - MOST_SHOWN} more")
    return choices


def _chosen(choices: Sequence[tuple[str, str]], answer: str) -> str:
    """Return the value that is meant: by itself, by its number in the list, or by its label."""
    if answer in dict(choices):
        return answer
    if answer.isdecimal() and 1 <= int(answer) <= len(choices):
        return choices[int(answer) - 1][0]
    labels = {label.casefold(): value for value, label in reversed(choices)}
    return labels.get(answer.casefold(), answer)


# --- Objects ---


def _found(settings: Settings, variable: Mapping[str, Any], answer: str, siblings: Mapping[str, Any]) -> Any:
    """Return the key of the object that is meant: by its key, or by what a search finds."""
    if answer == NULL and variable.get("null_option"):
        return NULL
    params = resolve_params(variable.get("query_params") or {}, siblings)
    try:
        with open_data(settings).session() as data:
            try:
                return objects.ObjectLookup(data).find(variable["model"], answer, params)
            except objects.LookupFailed:
                page = objects.search(data, variable["model"], q=answer, params=params, limit=MOST_FOUND)
                matches = [(_text_of(variable, each), each.pk) for each in page.objects]
    except (objects.UnknownModel, objects.SearchRefused) as error:
        raise InvalidValue(str(error)) from error
    if not matches:
        raise InvalidValue(f"Nothing matches {answer!r}.")
    if len(matches) == 1:
        tell(f"  {matches[0][0]}")
        return _plain(matches[0][1])
    return _picked(settings, variable, siblings, matches, more=page.next is not None)


def _picked(
    settings: Settings,
    variable: Mapping[str, Any],
    siblings: Mapping[str, Any],
    matches: Sequence[tuple[str, Any]],
    *,
    more: bool,
) -> Any:
    _list(text for text, _ in matches)
    if more:
        tell("     and more: search for something narrower to see them")
    answer = _prompt(variable, word="number, or another search")
    if not answer:
        raise InvalidValue("Choose one of them.")
    if answer.isdecimal() and 1 <= int(answer) <= len(matches):
        return _plain(matches[int(answer) - 1][1])
    return _found(settings, variable, answer, siblings)


def _name_of(settings: Settings, variable: Mapping[str, Any], key: Any) -> str:
    if key is None:
        return ""
    try:
        with object_lookup(settings) as lookup:
            return _text_of(variable, lookup.load(variable["model"], key))
    except objects.LookupFailed:
        return str(key)


def _text_of(variable: Mapping[str, Any], instance: Any) -> str:
    return objects.text_of(instance, variable.get("display_field") or "display")


def _object_word(variable: Mapping[str, Any]) -> str:
    none = f", {NULL} for {variable['null_option']}" if variable.get("null_option") else ""
    return f"key or search{none}"


def _plain(key: Any) -> int | str:
    return key if isinstance(key, int) else str(key)


# --- What is written and read ---


def _prompt(variable: Mapping[str, Any], default: str = "", *, word: str = "", hidden: bool = False) -> str:
    """Show the label, `word` and the default, and return what was typed: nothing stands for the default."""
    shown = "".join(
        [_label(variable), f" ({_on_one_line(word)})" if word else "", f" [{default}]" if default else ""]
    )
    typed = click.prompt(
        _on_one_line(shown), default="", show_default=False, hide_input=hidden, err=True, prompt_suffix=": "
    )
    return clean_text(str(typed)).strip() if not hidden else str(typed)


def _read_line() -> str:
    typed = click.prompt("", default="", show_default=False, err=True, prompt_suffix="  ")
    return clean_text(str(typed))


def _list(texts: Iterator[str]) -> None:
    for number, text in enumerate(texts, start=1):
        tell(f"{number:4} {_on_one_line(text)}")


def _label(variable: Mapping[str, Any]) -> str:
    return str(variable.get("label") or variable["name"])


def _on_one_line(text: Any) -> str:
    return " ".join(entry_text(str(text)).split())


def _as_text(variable: Mapping[str, Any], value: Any) -> str:
    if value is None:
        return ""
    if variable["type"] == "JSONVar":
        return json.dumps(value, ensure_ascii=False)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _parts(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(",")) if part]


def _is_multiple(variable: Mapping[str, Any]) -> bool:
    return from_description(variable).multiple
