"""Kinds of variables and dialects that are not ours: what plugins bring, and what a job file may not."""

from typing import Any, ClassVar

import pytest

from jobs import Job, StringVar
from jobs.data import clean, restore
from jobs.describe import describe
from jobs.dialects import brought, dialect_of
from jobs.dialects.running import LIVES, DialectError, register_dialect
from jobs.errors import BadJob, InvalidData, InvalidValue
from jobs.form import NoObjects
from jobs.kinds import KINDS, KindError, from_description, register_kind
from jobs.lifecycle import Life
from jobs.variables import Variable
from worker.testing import run_job


@pytest.fixture(autouse=True)
def nothing_stays():
    kinds, lives, names = KINDS.copy(), LIVES.copy(), brought.copy()
    yield
    for known, before in ((KINDS, kinds), (LIVES, lives), (brought, names)):
        known.clear()
        known.update(before)
    ColourVar.kind = ""


class ColourVar(StringVar):
    """A colour by its name or number, with an option of its own."""

    options = (*StringVar.options, "palette")

    def __init__(self, *positional: Any, palette: str = "web", **named: Any) -> None:
        super().__init__(*positional, **named)
        self.palette = palette

    def parse(self, raw: Any) -> str:
        text = super().parse(raw).lower()
        if not text.startswith("#"):
            raise InvalidValue(f"That is no colour of {self.palette}.")
        return text

    def restore(self, value: Any, objects: Any) -> Any:
        return ("colour", value)


def described(variable: Variable) -> dict[str, Any]:
    job = type("Paint", (Job,), {"colour": variable, "run": lambda self, colour: None})
    return describe(job, grouping="Paint")["variables"][0]


def test_a_registered_kind_decides_wherever_there_is_only_its_description():
    register_kind(ColourVar)
    register_kind(ColourVar)
    description = described(ColourVar(palette="print", required=False))
    assert (description["type"], description["kind"], description["palette"]) == (
        "StringVar",
        "ColourVar",
        "print",
    )
    assert clean([description], {"colour": "#FFF"}, objects=NoObjects()) == {"colour": "#fff"}
    with pytest.raises(InvalidData, match="no colour of print"):
        clean([description], {"colour": "red"}, objects=NoObjects())
    assert restore([description], {"colour": "#fff"}, NoObjects()) == {"colour": ("colour", "#fff")}
    assert type(from_description(description)) is ColourVar


def test_without_its_plugin_it_is_shown_and_takes_nothing():
    description = {"name": "colour", "type": "StringVar", "kind": "ColourVar", "default": "#000"}
    assert from_description(description).default == "#000"
    with pytest.raises(InvalidData, match="This is a ColourVar, of a plugin that is not loaded here"):
        clean([description], {"colour": "#fff"}, objects=NoObjects())


def test_a_job_file_may_make_a_kind_ready_for_use():
    class Host(StringVar):
        """Says once what several jobs ask for."""

        def __init__(self, **named: Any) -> None:
            super().__init__(max_length=20, label="Host", **named)

    description = described(Host())
    assert (description["type"], description["max_length"], "kind" in description) == ("StringVar", 20, False)


def test_a_job_file_may_not_bring_rules_that_only_its_code_knows():
    with pytest.raises(
        BadJob, match="colour is a ColourVar, whose parse and restore are not those of StringVar"
    ):
        described(ColourVar())


def no_own_arguments(self: Any) -> None:
    Variable.__init__(self)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (type("StringVar", (StringVar,), {}), "two kinds of variables are called StringVar"),
        (type("OwnVar", (Variable,), {}), "OwnVar must be a subclass of a kind that there is"),
        (
            type("BareVar", (StringVar,), {"__init__": no_own_arguments}),
            "BareVar must take label, .*regex by name",
        ),
    ],
)
def test_what_cannot_be_a_kind_is_refused_in_a_sentence(kind, sentence):
    with pytest.raises(KindError, match=sentence):
        register_kind(kind)


class EchoLife(Life):
    dialect: ClassVar[str] = "echo"

    def live(self) -> None:
        try:
            self.return_value = self.job.say(**self.data)
        except Exception as error:
            self.note(error)
        self.commit_changes() if self.commit and not self.error else self.roll_back()


class Echo(Job):
    dialect: ClassVar[str] = "echo"


class Hello(Echo):
    word = StringVar()

    def say(self, word: str) -> str:
        if word == "stop":
            raise ValueError(word)
        return f"{word}!"


def test_a_dialect_that_nobody_brought_is_none():
    assert dialect_of(Hello) == "classic"


def test_a_dialect_says_how_its_jobs_are_run():
    register_dialect(EchoLife)
    register_dialect(EchoLife)
    assert (dialect_of(Hello), describe(Hello, grouping="x")["dialect"]) == ("echo", "echo")
    said = run_job(Hello, {"word": "hey"}, commit=False)
    assert (said.status, said.return_value) == ("completed", "hey!")
    assert said.cause == "The job ran to its end; no change was saved."
    broken = run_job(Hello, {"word": "stop"})
    assert (broken.status, broken.cause) == ("errored", "The job raised ValueError: stop")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "EchoLife must say what its dialect is called"),
        ("eleven_long", "10 at most"),
        ("no word", "must say what"),
        ("nautobot", "two dialects are called nautobot"),
        ("2", "must say what"),
    ],
)
def test_what_cannot_be_a_dialect_is_refused_in_a_sentence(name, sentence):
    with pytest.raises(DialectError, match=sentence):
        register_dialect(type("EchoLife", (Life,), {"dialect": name}))


def test_two_dialects_of_one_name_are_refused():
    register_dialect(EchoLife)
    with pytest.raises(DialectError, match="two dialects are called echo"):
        register_dialect(type("Other", (Life,), {"dialect": "echo"}))
