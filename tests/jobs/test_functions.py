"""Functions with type hints as jobs: what hints become, and what the function gets."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Network
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Optional
from uuid import UUID

import netaddr
import pytest

from jobs import (
    ChoiceVar,
    DataFile,
    DataFileVar,
    DecimalVar,
    FileVar,
    IntegerVar,
    Job,
    StringVar,
    TextVar,
    job,
)
from jobs.data import clean, restore
from jobs.describe import describe
from jobs.dialects.running import run
from jobs.errors import BadJob, InvalidData, JobFailed
from jobs.form import NoObjects
from jobs.functions import job_of
from jobs.hints import NOT_A_LIST, NOT_AN_OBJECT, NOTHING, input_for
from tests.jobs.test_job import Notebook


class Tone(Enum):
    WARM = "warm"
    VERY_FORMAL = "formal"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Shape(Enum):
    ROUND = object()
    FLAT = object()


def described(function: Any) -> dict[str, Any]:
    return describe(job_of(function), grouping="g")


def variables(function: Any) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in described(function)["variables"]}


def result_of(function: Any, raw: dict[str, Any] | None = None, *, form: bool = False) -> Any:
    """Run it with inputs that come as the API, or a browser, sends them."""
    cls = job_of(function)
    descriptions = [variable.describe() for variable in cls._get_vars().values()]
    data = restore(descriptions, clean(descriptions, raw or {}, objects=NoObjects(), form=form), NoObjects())
    instance = cls()
    instance._context = Notebook()
    if hasattr(instance, "validate"):
        instance.validate(data)
    outcome = run(instance, data, commit=True)
    assert outcome.status == "completed", outcome.cause
    return outcome.return_value


def given(hint: Any, raw: Any, default: Any = NOTHING) -> Any:
    """Return what a function gets for one input."""
    wanted = input_for("it", hint, default)
    wanted.variable.name = "it"
    description = wanted.variable.describe()
    raws = {} if raw is ... else {"it": raw}
    data = clean([description], raws, objects=NoObjects())
    return wanted.give(restore([description], data, NoObjects())["it"])


def test_a_function_is_a_job_and_stays_a_function():
    @job
    def ping_host(host: IPv4Address, count: int = 3, note: str | None = None):
        """Ask a host whether it is there."""
        return [str(host), count, note]

    assert ping_host(IPv4Address("10.0.0.1")) == ["10.0.0.1", 3, None]
    facts = described(ping_host)
    assert (facts["class_name"], facts["description"], facts["has_validate"]) == (
        "PingHost",
        "Ask a host whether it is there.",
        False,
    )
    assert issubclass(job_of(ping_host), Job)
    kinds = {name: (v["type"], v["required"], v["default"]) for name, v in variables(ping_host).items()}
    assert kinds == {
        "host": ("IPAddressVar", True, None),
        "count": ("IntegerVar", True, 3),
        "note": ("StringVar", False, None),
    }
    assert result_of(ping_host, {"host": "10.0.0.1"}) == ["10.0.0.1", 3, None]
    form = {"host": "10.0.0.1", "count": "4", "note": "x"}
    assert result_of(ping_host, form, form=True) == ["10.0.0.1", 4, "x"]


def test_facts_stand_in_the_decorator():
    @job(name="Ask a host", read_only=True, time_limit=5)
    def ping():
        """Asks."""

    facts = described(ping)
    assert (facts["name"], facts["class_name"], facts["read_only"], facts["time_limit"]) == (
        "Ask a host",
        "Ping",
        True,
        5,
    )

    @job(nmae="Ask a host")
    def pong():
        """Asks."""

    with pytest.raises(BadJob, match=r"@job knows no nmae\. There are: name, description, "):
        described(pong)


@pytest.mark.parametrize("facts", [("Ping",), (Job,)])
def test_the_decorator_stands_above_functions_only(facts: Any):
    with pytest.raises(TypeError, match="stands above a function"):
        job(*facts)


#: (hint, what the API is sent, what the function gets)
GIVEN: list[tuple[Any, Any, Any]] = [
    (str, " a ", "a"),
    (int, "3", 3),
    (float, "0.5", 0.5),
    (Decimal, "1.10", Decimal("1.10")),
    (bool, True, True),
    (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
    (dt.datetime, "2026-01-31T14:30", dt.datetime(2026, 1, 31, 14, 30, tzinfo=dt.UTC)),
    (IPv4Address, "10.0.0.1", IPv4Address("10.0.0.1")),
    (IPv4Interface, "10.0.0.1/24", IPv4Interface("10.0.0.1/24")),
    (IPv6Network, "2001:db8::/32", IPv6Network("2001:db8::/32")),
    (netaddr.IPAddress, "10.0.0.1", netaddr.IPAddress("10.0.0.1")),
    (netaddr.IPNetwork, "10.0.0.0/8", netaddr.IPNetwork("10.0.0.0/8")),
    (Literal["a", "b"], "b", "b"),
    (Literal[10, 100], "100", 100),
    (Literal["a", None], "", None),
    (Literal[Tone.WARM], "warm", Tone.WARM),
    (Tone, "formal", Tone.VERY_FORMAL),
    (Size, "2", Size.LARGE),
    (Shape, "FLAT", Shape.FLAT),
    (Optional[Tone], None, None),  # noqa: UP045
    (list[Literal[1, 2]], ["2", "1"], [2, 1]),
    (list[Tone], ["warm"], [Tone.WARM]),
    (list[str], "a\n\n b \n", ["a", "b"]),
    (list[int], "1\n2", [1, 2]),
    (list[IPv4Address], "10.0.0.1\n10.0.0.2", [IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")]),
    (list[str] | None, "", None),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (list, [1], [1]),
    (list[dict[str, Any]], '[{"a": 1}]', [{"a": 1}]),
    (Any, 5, 5),
    (Any, [], []),
    (str | None, "", None),
    (Annotated[int | None, "Help"], None, None),
    (Annotated[str, IntegerVar(max_value=3)], 2, 2),
    (Annotated[float, DecimalVar(decimal_places=1)], "0.5", 0.5),
    (Annotated[str, ChoiceVar(choices=[("x", "X")])], "x", "x"),
]


@pytest.mark.parametrize(("hint", "raw", "value"), GIVEN, ids=range(len(GIVEN)))
def test_the_function_gets_what_it_asked_for(hint: Any, raw: Any, value: Any):
    got = given(hint, raw)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("hint", "default", "shown"),
    [
        (int, 3, 3),
        (float, 0.5, "0.5"),
        (Tone, Tone.WARM, "warm"),
        (Literal[10, 100], 100, "100"),
        (IPv4Address, IPv4Address("10.0.0.1"), "10.0.0.1"),
        (dt.date, dt.date(2026, 1, 31), "2026-01-31"),
        (list[Tone], [Tone.WARM], ["warm"]),
        (list[int], [1, 2], "1\n2"),
        (dict, {"a": 1}, {"a": 1}),
        (int | None, 5, 5),
    ],
)
def test_a_default_is_one(hint: Any, default: Any, shown: Any):
    variable = input_for("it", hint, default).variable
    variable.name = "it"
    assert variable.describe()["default"] == shown
    assert given(hint, ..., default) == default


@pytest.mark.parametrize(("hint", "default"), [(str, ""), (list[str], []), (list[Tone], []), (dict, {})])
def test_a_default_of_nothing_may_be_left_out(hint: Any, default: Any):
    assert input_for("it", hint, default).variable.required is False
    assert given(hint, ..., default) == default


def test_none_as_a_default_makes_any_hint_optional():
    assert input_for("it", int, None).variable.required is False
    assert given(int, ..., None) is None


@pytest.mark.parametrize(
    ("hint", "raw", "sentence"),
    [
        (IPv4Address, "::1", "Enter one of IPv4: ::1 is IPv6."),
        (IPv6Network, "10.0.0.0/8", "Enter one of IPv6: 10.0.0.0/8 is IPv4."),
        (
            Tone,
            "cold",
            "Select a valid choice. cold is not one of the available choices. Choose from: warm, formal.",
        ),
        (int, "x", "Enter a whole number."),
        (Annotated[str, StringVar(regex="^a")], "b", "Invalid value. Must match regex: ^a"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(hint: Any, raw: Any, sentence: str):
    with pytest.raises(InvalidData) as refusal:
        given(hint, raw)
    assert refusal.value.errors == {"it": [sentence]}


def test_what_no_variable_can_judge_the_job_judges():
    @job
    def deploy(settings: dict, order: list, ports: list[int]):
        return [settings, order, ports]

    assert described(deploy)["has_validate"] is True
    assert result_of(deploy, {"settings": {}, "order": [], "ports": "22\n80"}) == [{}, [], [22, 80]]
    with pytest.raises(InvalidData) as refusal:
        result_of(deploy, {"settings": [1], "order": {}, "ports": "22\n\nhttp"})
    assert refusal.value.errors == {
        "settings": [NOT_AN_OBJECT],
        "order": [NOT_A_LIST],
        "ports": ["Line 3: Enter a whole number."],
    }


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (bytes, FileVar),
        (IO[bytes], FileVar),
        (DataFile, DataFileVar),
        (list[str], TextVar),
        (Annotated[str, TextVar()], TextVar),
    ],
)
def test_other_kinds(hint: Any, kind: type):
    assert type(input_for("it", hint).variable) is kind


def test_one_variable_serves_many_functions():
    Host = Annotated[str, StringVar(regex="^core-", label="Device"), "Its name in the inventory"]
    first, second = input_for("a", Host), input_for("b", Host, "core-1")
    assert first.variable is not second.variable
    assert (first.variable.default, second.variable.default) == (None, "core-1")
    assert (second.variable.label, second.variable.description) == ("Device", "Its name in the inventory")


def test_choices_have_labels():
    variable = input_for("it", Tone).variable
    assert isinstance(variable, ChoiceVar)
    assert variable.choices == [("warm", "Warm"), ("formal", "Very formal")]


@pytest.mark.parametrize(
    "hint", [Path, UUID, int | str, set[str], list[bool], list[bytes], tuple[int, int], Job]
)
def test_a_hint_that_nothing_serves_is_told_by_its_parameter(hint: Any):
    with pytest.raises(
        BadJob, match=r"^where has the hint .*, and no input gives that\. There are: str, int"
    ):
        input_for("where", hint)


def test_what_cannot_be_a_job_says_why_and_harms_no_other():
    @job
    def anything(*hosts: str):
        """A."""

    @job
    def unhinted(host):
        """B."""

    @job
    def unknown(host: NoSuchName):  # type: ignore[name-defined]  # noqa: F821
        """C."""

    @job
    async def waits():
        """D."""

    @job
    def tristate(really: bool | None = None):
        """E."""

    @job
    def clashes(logger: str):
        """F."""

    @job
    def twice(value: Literal[1, "1"]):
        """G."""

    for function, sentence in (
        (anything, "hosts stands for any number of arguments"),
        (unhinted, "host has no type hint: write host: str, say."),
        (unknown, "Its type hints cannot be read: NameError: name 'NoSuchName' is not defined"),
        (waits, "It is an async function"),
        (tristate, "really cannot be left out: a switch is on or off."),
        (clashes, "A variable cannot be called logger"),
        (twice, "Two values of .* have the same text."),
    ):
        with pytest.raises(BadJob, match=sentence):
            described(function)
    outcome = run(job_of(unhinted)(), {}, commit=True)
    assert (outcome.status, "host has no type hint" in outcome.cause) == ("errored", True)


def test_the_job_and_the_commit_flag_come_along_where_they_are_asked_for():
    @job
    def logs(job, commit: bool, data: str):
        job.log_info(data)
        return commit

    @job
    def typed(me: Job, data: dict):
        return [me.active_test, data]

    assert list(variables(logs)) == ["data"]
    assert result_of(logs, {"data": "x"}) is True
    assert result_of(typed, {"data": {"commit": 1}}) == ["run", {"commit": 1}]
    # In a test of the function itself, a job outside of any run keeps nothing.
    assert logs(Job(), False, "x") is False


def test_parameters_of_every_kind_are_filled():
    @job
    def mixed(first: int, /, second: int, *, third: int = 3):
        return [first, second, third]

    assert result_of(mixed, {"first": 1, "second": 2}) == [1, 2, 3]


def test_a_choice_that_is_gone_fails_the_run():
    @job
    def speak(tone: Tone):
        return tone

    outcome = run(job_of(speak)(), {"tone": "shrill"}, commit=True)
    assert (outcome.status, outcome.cause) == (
        "failed",
        "The inputs do not fit the function: tone: shrill is not one of the available choices any more.",
    )
    assert issubclass(JobFailed, Exception)


def test_a_traceback_begins_with_the_function():
    @job
    def breaks(job):
        raise ValueError("not today")

    instance, notebook = job_of(breaks)(), Notebook()
    instance._context = notebook
    run(instance, {}, commit=True)
    trace = notebook.lines[0][2]
    assert "in breaks" in trace
    assert "jobs/functions.py" not in trace
