"""What an author should know of their jobs before anybody runs them: loads, inputs tried with all there is, advice.

Nothing is stored and nothing is run: job code is only asked what a form would ask of it.
"""

import io
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jobs.data import clean
from jobs.errors import InvalidData
from jobs.files import Upload
from jobs.variables import Objects, flat_choices
from store.models import JobRecord
from store.settings import Settings
from worker.discover import Found, discover
from worker.form_templates import kept_template
from worker.lookups import object_lookup
from worker.questions import Questions
from worker.run_files import on_disk
from worker.sources import job_sources

Weight = Literal["error", "warning", "advice"]

#: Judging one value may take so long; a page that shows its form waits as long.
SLOW_SECONDS = 0.3

#: Inputs of these names are secrets, most likely.
_SECRET_NAME = re.compile(r"(^|_)(password|passwd|pwd|secret|token|api_?key|private_?key)(_|$)")

#: Kinds whose texts anybody may read.
_OPEN_TEXTS = ("StringVar", "TextVar")

DEEP = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or could be better. `about` is the variable, or empty."""

    class_path: str
    weight: Weight
    text: str
    about: str = ""


def check(settings: Settings, class_paths: Sequence[str] = ()) -> tuple[list[str], list[Finding]]:
    """Check all jobs of all sources, or these; return the class paths that were found, and what is to be said.

    A class path may also be the beginning of some: `local/network/`.
    """
    sources = job_sources(settings)
    found = discover(sources, plugins=settings.plugins)
    findings = list(_of_loading(found))
    checked: list[str] = []
    with object_lookup(settings) as objects:
        for module, job in _described(found):
            class_path = f"{module.source}/{module.module}/{job['class_name']}"
            if not class_paths or class_path.startswith(tuple(class_paths)):
                checked.append(class_path)
                findings += _Check(settings, class_path, job, objects).findings()
    findings += _of_names(found)
    return checked, [
        each for each in findings if not class_paths or each.class_path.startswith(tuple(class_paths))
    ]


def _described(found: Sequence[Found]) -> Iterator[tuple[Found, dict[str, Any]]]:
    for module in found:
        for job in module.jobs:
            yield module, job


def _of_loading(found: Sequence[Found]) -> Iterator[Finding]:
    for module in found:
        for error in module.errors:
            yield Finding(f"{module.source}/{module.module}", "error", error["message"])


def _of_names(found: Sequence[Found]) -> Iterator[Finding]:
    named = Counter((job["grouping"], job["name"]) for _, job in _described(found))
    for module, job in _described(found):
        if named[job["grouping"], job["name"]] > 1:
            class_path = f"{module.source}/{module.module}/{job['class_name']}"
            text = f'Another job of the group "{job["grouping"]}" is called "{job["name"]}", too.'
            yield Finding(class_path, "warning", text)


class _Check:
    """The checks of one job."""

    def __init__(self, settings: Settings, class_path: str, job: Mapping[str, Any], objects: Objects) -> None:
        self._class_path = class_path
        self._job = job
        self._objects = objects
        record = JobRecord(
            class_path=class_path,
            variables=job["variables"],
            has_validate=job["has_validate"],
            has_sensitive_variables=job["has_sensitive_variables"],
        )
        self._questions = Questions(settings, record, username="check", seconds=30.0)

    def findings(self) -> Iterator[Finding]:
        yield from self._of_job()
        # Each by itself: what others would have to hold for it is not of interest here.
        variables = [
            {name: value for name, value in variable.items() if name not in ("shown_if", "depends_on")}
            for variable in self._questions.described(self._objects)
        ]
        for name, sentences in self._questions.problems.items():
            for sentence in sentences:
                yield self._say("error", sentence, name)
        for variable in variables:
            yield from self._of_variable(variable)
        yield from self._of_validate(variables)

    def _say(self, weight: Weight, text: str, about: str = "") -> Finding:
        return Finding(self._class_path, weight, text, about)

    def _of_job(self) -> Iterator[Finding]:
        job = self._job
        if not job["description"]:
            yield self._say("advice", "Say in a docstring what it does: people read that before they run it.")
        template = kept_template(job["form_template"], self._class_path.partition("/")[0])
        for sentence in filter(None, [template.get("error"), *template.get("notes", ())]):
            yield self._say("warning", f"{template['name']}: {sentence}")
        soft, hard = job["soft_time_limit"], job["time_limit"]
        if hard and soft and hard <= soft:
            text = f"Its time_limit of {hard:g} seconds ends it before its soft_time_limit of {soft:g} is reached."
            yield self._say("warning", text)

    def _of_variable(self, variable: Mapping[str, Any]) -> Iterator[Finding]:
        name, kind = str(variable["name"]), variable["type"]
        if kind in _OPEN_TEXTS and _SECRET_NAME.search(name) and not self._job["has_sensitive_variables"]:
            text = f"A {kind} is kept, and shown, as it was typed: make it a SecretVar if it is a secret."
            yield self._say("warning", text, name)
        if "choices" in variable and not list(flat_choices(variable["choices"])):
            weight: Weight = "error" if variable["required"] else "warning"
            yield self._say(weight, "It has no choices, so nobody can choose one.", name)
        if variable.get("default") is not None and (refusal := self._refusal(variable, variable["default"])):
            yield self._say("warning", f"Its default does not fit: {refusal}", name)
        yield from self._tried(variable)

    def _tried(self, variable: Mapping[str, Any]) -> Iterator[Finding]:
        """Try all that people and programs send. Any of it may be refused, and nothing may break or stall."""
        for form, value in itertools.chain(
            ((True, text) for text in texts()), ((False, value) for value in json_values())
        ):
            began = time.monotonic()
            try:
                self._clean(variable, value, form=form)
            except Exception as error:
                shown = _shown(value)
                text = f"It breaks on {shown}: {type(error).__name__}: {str(error)[:200]}"
                yield self._say("error", text, str(variable["name"]))
                return
            if time.monotonic() - began > SLOW_SECONDS:
                text = f"To judge {_shown(value)} takes longer than {SLOW_SECONDS:g} seconds: is its regex costly?"
                yield self._say("warning", text, str(variable["name"]))
                return

    def _clean(self, variable: Mapping[str, Any], value: Any, *, form: bool = False) -> list[Any]:
        """Return [the value as it is kept], or [] when it is refused."""
        try:
            return list(
                clean([variable], {variable["name"]: value}, objects=self._objects, form=form).values()
            )
        except InvalidData:
            return []

    def _refusal(self, variable: Mapping[str, Any], value: Any) -> str:
        try:
            clean([variable], {variable["name"]: value}, objects=self._objects)
        except InvalidData as error:
            return str(error).partition(": ")[2]
        return ""

    def _of_validate(self, variables: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
        """Have the job judge inputs of which each fits: it may refuse them, but not break."""
        if not self._questions.validates:
            return
        fitting = {str(variable["name"]): self._fitting(variable) for variable in variables}
        lacking = [name for name, values in fitting.items() if not values]
        if lacking:
            text = f"validate was not tried: no value was found that fits {', '.join(lacking)}."
            yield self._say("advice", text)
            return
        for number in range(max((len(values) for values in fitting.values()), default=0)):
            data = {name: values[number % len(values)] for name, values in fitting.items()}
            try:
                with on_disk(data) as readable:
                    self._questions.validate(readable)
            except InvalidData as refusal:
                if isinstance(refusal.errors, list) and "could not be done" in str(refusal):
                    yield self._say("error", f"{refusal} It was asked about {_shown(data)}.")
                    return

    def _fitting(self, variable: Mapping[str, Any]) -> list[Any]:
        """Return a few values that fit: the usual one, an empty one, an extreme one."""
        if variable["type"] == "FileVar":
            ending = next((kind for kind in variable["accept"] if kind.startswith(".")), ".csv")
            return [Upload(f"file{ending}", io.BytesIO(b"name,value\na,1\n"), "text/csv")]
        values = [variable.get("default"), None, *_usual(variable), *texts()]
        kept: list[Any] = []
        for value in values:
            for cleaned in self._clean(variable, value):
                if cleaned not in kept and len(repr(cleaned)) < 10_000:
                    kept.append(cleaned)
            if len(kept) >= 4:
                break
        return kept


def _usual(variable: Mapping[str, Any]) -> Iterator[Any]:
    yield from (value for value, _ in flat_choices(variable.get("choices") or ()))
    yield [value for value, _ in flat_choices(variable.get("choices") or ())]
    for option in ("min_value", "max_value"):
        if variable.get(option) is not None:
            yield variable[option]
    yield from (1, "10.0.0.1", "10.0.0.0/24", "2026-01-31", "2026-01-31T14:30", {"a": 1}, True, [1])
    if variable["type"] == "DataFileVar":
        yield "example.txt"
    yield "x" * max(1, variable.get("min_length") or 1)


def texts() -> Iterator[str]:
    """Yield what a form may bring: boundaries first, then what was never meant."""
    yield from (
        "",
        " ",
        "0",
        "-1",
        "1",
        "a",
        "é 🎉",
        "a\r\nb",
        "on",
        "null",
        "NaN",
        "Infinity",
        "1e400",
        "1e999999999",
    )
    yield from ("9" * 20, "9" * 5_000, "0x10", "١", "1_000", "1,5", "2026-02-30", "0000-00-00", "24:00")
    yield from ("999.999.999.999", "::1/129", "10.0.0.0/33", "fe80::1%eth0", "1.2.3", "{", '{"a": 1, "a": 2}')
    yield from ("a\x00b", "\ud800", "\u202egpj.exe", "\ufeff", "\x1b[31mred", "\x7f")
    yield from (
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "{{ 7*7 }}",
        "${jndi:x}",
        "$(reboot)",
        "../../etc/passwd",
    )
    yield from ("a" * 256, "a" * 100_000, "[" * 8_000, "a" * 30 + "!", " " * 100_000, "x" * 10_000_000)


def json_values() -> Iterator[Any]:
    """Yield what JSON may bring."""
    yield from (None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 2**70, -(2**70), 1.5, 1e308, "", "a")
    yield from (
        [],
        {},
        [None],
        [[]],
        ["a"],
        ["a", "a"],
        {"pk": 1},
        {"id": None},
        {"name__regex": "("},
        {"": ""},
    )
    yield from ({"__class__": "x"}, {"a": {"b": [1, {"c": None}]}}, ["x"] * 20_000)
    deep: list[Any] = []
    for _ in range(DEEP):
        deep = [deep]
    yield deep


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "a value that is nested 10,000 deep"
    return text if len(text) <= 60 else f"{text[:57]}... ({len(text):,} characters)"
