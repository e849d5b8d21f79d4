"""Addresses, moments, exact numbers, JSON: what they take, what they refuse, and what the job gets."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from jobs import (
    DateTimeVar,
    DateVar,
    DecimalVar,
    IPAddressVar,
    IPAddressWithMaskVar,
    IPNetworkVar,
    JSONVar,
)
from jobs.addresses import MASK_REQUIRED
from jobs.data import restore
from jobs.errors import BadJob
from jobs.kinds import from_description
from jobs.moments import NOT_A_DATE, NOT_A_MOMENT
from jobs.values import NOT_A_NUMBER
from jobs.variables import REQUIRED, Variable
from tests.jobs.test_variables import Shelf, cleaned, described, refusal

#: (variable, what was given, what is stored, what the job gets)
TAKEN: list[tuple[Variable, Any, Any, Any]] = [
    (IPAddressVar(), " 10.0.0.1 ", "10.0.0.1", IPAddress("10.0.0.1")),
    (IPAddressVar(), "2001:DB8::0:1", "2001:db8::1", IPAddress("2001:db8::1")),
    (IPAddressVar(required=False), "", None, None),
    (IPAddressWithMaskVar(), "10.0.0.1/24", "10.0.0.1/24", IPNetwork("10.0.0.1/24")),
    (IPAddressWithMaskVar(), "10.0.0.1/255.255.255.0", "10.0.0.1/24", IPNetwork("10.0.0.1/24")),
    (IPNetworkVar(), "10.0.0.0/24", "10.0.0.0/24", IPNetwork("10.0.0.0/24")),
    (IPNetworkVar(8, 24), "10.0.0.0/8", "10.0.0.0/8", IPNetwork("10.0.0.0/8")),
    (IPNetworkVar(), "2001:db8::/32", "2001:db8::/32", IPNetwork("2001:db8::/32")),
    (DateVar(), "2026-01-31", "2026-01-31", date(2026, 1, 31)),
    (DateVar(required=False), None, None, None),
    (
        DateTimeVar(),
        "2026-01-31T14:30",
        "2026-01-31T14:30:00+00:00",
        datetime(2026, 1, 31, 14, 30, tzinfo=UTC),
    ),
    (
        DateTimeVar(),
        "2026-01-31T14:30:05+02:00",
        "2026-01-31T12:30:05+00:00",
        datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC),
    ),
    (DateTimeVar(min_value=datetime(2026, 1, 1, tzinfo=UTC)), "2026-01-01", "2026-01-01T00:00:00+00:00", ...),
    (DecimalVar(), " 1.10 ", "1.10", Decimal("1.10")),
    (DecimalVar(), 0.1, "0.1", Decimal("0.1")),
    (DecimalVar(), "1e3", "1000", Decimal(1000)),
    (DecimalVar(min_value=0, max_value=1, decimal_places=2), "0.25", "0.25", Decimal("0.25")),
    (DecimalVar(required=False), "", None, None),
    (JSONVar(), '{"a": [1, null]}', {"a": [1, None]}, {"a": [1, None]}),
    (JSONVar(), [], [], []),
    (JSONVar(), {"a": 1.5}, {"a": 1.5}, {"a": 1.5}),
    (JSONVar(), "false", False, False),
    (JSONVar(required=False), "  ", None, None),
]

REFUSED: list[tuple[Variable, Any, str]] = [
    (IPAddressVar(), "", REQUIRED),
    (IPAddressVar(), "10.0.0.1/24", "Invalid IPv4/IPv6 address format: 10.0.0.1/24"),
    (IPAddressVar(), "1.2.3", "Invalid IPv4/IPv6 address format: 1.2.3"),
    (IPAddressVar(), 5, "Invalid IPv4/IPv6 address format: 5"),
    (IPAddressVar(), ["10.0.0.1"], "Enter text."),
    (IPAddressWithMaskVar(), "10.0.0.1", MASK_REQUIRED),
    (IPAddressWithMaskVar(), "10.0.0.1/", MASK_REQUIRED),
    (IPAddressWithMaskVar(), "10.0.0/24", "Invalid IPv4/IPv6 address format: 10.0.0"),
    (IPAddressWithMaskVar(), "10.0.0.1/33", "Invalid CIDR mask: /33"),
    (IPAddressWithMaskVar(), "10.0.0.1/2/3", "Invalid CIDR mask: /2/3"),
    (IPNetworkVar(), "10.0.0.1/24", "10.0.0.1/24 is not a valid prefix. Did you mean 10.0.0.0/24?"),
    (IPNetworkVar(8, 24), "10.0.0.0/7", "The prefix length must be greater than or equal to 8."),
    (IPNetworkVar(8, 24), "10.0.0.0/25", "The prefix length must be less than or equal to 24."),
    (DateVar(), "31.1.2026", NOT_A_DATE),
    (DateVar(), "2026-02-30", NOT_A_DATE),
    (
        DateVar(min_value="2026-01-01"),
        "2025-12-31",
        "Ensure this value is greater than or equal to 2026-01-01.",
    ),
    (
        DateVar(max_value=date(2026, 1, 1)),
        "2026-01-02",
        "Ensure this value is less than or equal to 2026-01-01.",
    ),
    (DateTimeVar(), "tomorrow", NOT_A_MOMENT),
    (DateTimeVar(), "0001-01-01T00:00+10:00", NOT_A_MOMENT),
    (DecimalVar(), "1,5", NOT_A_NUMBER),
    (DecimalVar(), "NaN", NOT_A_NUMBER),
    (DecimalVar(), float("inf"), NOT_A_NUMBER),
    (DecimalVar(), True, NOT_A_NUMBER),
    (DecimalVar(), "1e999999999", "Enter a number with at most 100 digits."),
    (DecimalVar(), "1e-999999999", "Enter a number with at most 100 digits."),
    (DecimalVar(max_value="1.5"), "1.51", "Ensure this value is less than or equal to 1.5."),
    (DecimalVar(decimal_places=1), "1.25", "Ensure that there are no more than 1 decimal place."),
    (
        JSONVar(),
        "{",
        "Enter valid JSON: Expecting property name enclosed in double quotes (line 1, column 2).",
    ),
    (JSONVar(), "NaN", "Enter valid JSON: NaN is not a JSON value."),
    (JSONVar(), '{"a": 1, "a": 2}', "Enter valid JSON: the name 'a' appears twice in one object."),
    (JSONVar(), "[" * 10_000, "Enter valid JSON: it is nested more than 64 deep."),
    (JSONVar(), '["\\u0000"]', "Null characters are not allowed."),
    (JSONVar(), {"\ud800": 1}, "This text has characters that are not valid Unicode."),
    (JSONVar(), "x" * (1024 * 1024 + 1), "Enter at most 1,048,576 characters."),
    (JSONVar(), "", REQUIRED),
]


@pytest.mark.parametrize(("variable", "raw", "stored", "got"), TAKEN)
def test_what_is_taken_stored_and_given_to_the_job(variable: Variable, raw: Any, stored: Any, got: Any):
    assert cleaned(variable, raw) == stored
    [value] = restore([described(variable)], {"v": stored}, Shelf()).values()
    assert got is ... or (value == got and type(value) is type(got))


@pytest.mark.parametrize(("variable", "raw", "message"), REFUSED)
def test_what_is_refused_and_in_which_words(variable: Variable, raw: Any, message: str):
    assert refusal(variable, raw) == message


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        (IPNetworkVar(default=IPNetwork("10.0.0.0/8")), "10.0.0.0/8"),
        (IPAddressVar(default=IPAddress("10.0.0.1")), "10.0.0.1"),
        (DateVar(default=date(2026, 1, 31)), "2026-01-31"),
        (DecimalVar(default=Decimal("1.10"), min_value=Decimal(1)), "1.10"),
        (JSONVar(default={"a": 1}), {"a": 1}),
    ],
)
def test_a_default_is_described_as_json_has_it_and_the_variable_made_again_says_the_same(
    variable: Variable, default: Any
):
    description = described(variable)
    assert description["default"] == default
    assert from_description(description).describe() == description


@pytest.mark.parametrize(
    "variable",
    [
        IPNetworkVar(min_prefix_length=129),
        IPNetworkVar(max_prefix_length="24"),  # type: ignore[arg-type]
        DateVar(min_value="soon"),
        DateTimeVar(max_value="2026-13-01"),
        DecimalVar(min_value="low"),
        DecimalVar(decimal_places=-1),
    ],
)
def test_options_that_cannot_work_are_told_to_the_author(variable: Variable):
    with pytest.raises(BadJob):
        described(variable)
