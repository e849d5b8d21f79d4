"""Every kind of variable: what it takes, what it refuses, and in which words."""

from typing import Any

import pytest

from jobs import (
    BooleanVar,
    ChoiceVar,
    IntegerVar,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
    TextVar,
)
from jobs.data import NOT_A_MAPPING, UNKNOWN, clean, restore
from jobs.errors import BadJob, InvalidData
from jobs.variables import Variable, resolve_params


class Shelf:
    """Objects without a database: ids and names."""

    things = {"1": "one", "2": "two"}

    def find(self, model: str, value: Any, query_params: dict[str, Any]) -> str:
        self.asked = (model, value, query_params)
        if isinstance(value, dict):
            [found] = [pk for pk, name in self.things.items() if name == value["name"]] or [None]
        else:
            found = str(value) if str(value) in self.things else None
        if found is None:
            raise ValueError("There is no such thing.")
        return found

    def find_many(self, model: str, values: list[Any], query_params: dict[str, Any]) -> list[str]:
        return list(dict.fromkeys(self.find(model, value, query_params) for value in values))

    def load(self, model: str, pk: str) -> str:
        return self.things[pk]

    def load_many(self, model: str, pks: list[str]) -> list[str]:
        return [self.things[pk] for pk in pks]


def described(variable: Variable, name: str = "v") -> dict[str, Any]:
    variable.name = name
    variable.check()
    return variable.describe()


def cleaned(variable: Variable, raw: Any, *, form: bool = False) -> Any:
    return clean([described(variable)], {"v": raw}, objects=Shelf(), form=form)["v"]


def refusal(variable: Variable, raw: Any, *, form: bool = False) -> str:
    with pytest.raises(InvalidData) as refused:
        cleaned(variable, raw, form=form)
    [message] = refused.value.errors["v"]
    return message


CHOICES = [("n", "North"), ("s", "South")]
GROUPED = [("Poles", [("n", "North"), ("s", "South")]), ("e", "East")]

ACCEPTED = [
    (StringVar(), "  a b ", "a b"),
    (StringVar(), 12, "12"),
    (StringVar(min_length=2, max_length=2), "ab", "ab"),
    (StringVar(regex="b"), "abc", "abc"),
    (StringVar(required=False), "", ""),
    (StringVar(required=False), None, ""),
    (TextVar(), "a\r\n b\n", "a\n b\n"),
    (IntegerVar(), "7", 7),
    (IntegerVar(), 7.0, 7),
    (IntegerVar(), " -3 ", -3),
    (IntegerVar(min_value=0), 0, 0),
    (IntegerVar(required=False), "", None),
    (BooleanVar(), True, True),
    (BooleanVar(), "on", True),
    (BooleanVar(), "False", False),
    (BooleanVar(required=True), None, False),
    (ChoiceVar(choices=CHOICES), "n", "n"),
    (ChoiceVar(choices=[(1, "One")]), 1, "1"),
    (ChoiceVar(choices=GROUPED), "s", "s"),
    (ChoiceVar(choices=CHOICES, required=False), "", ""),
    (MultiChoiceVar(choices=CHOICES), ["n", "s", "n"], ["n", "s"]),
    (MultiChoiceVar(choices=CHOICES, required=False), [], []),
    (ObjectVar(model="m"), "1", "1"),
    (ObjectVar(model="m"), {"name": "two"}, "2"),
    (ObjectVar(model="m", required=False), "", None),
    (ObjectVar(model="m", null_option="None"), "null", None),
    (MultiObjectVar(model="m"), ["1", "2"], ["1", "2"]),
    (MultiObjectVar(model="m", required=False), None, []),
]


@pytest.mark.parametrize(("variable", "raw", "value"), ACCEPTED)
def test_what_is_accepted(variable: Variable, raw: Any, value: Any):
    assert cleaned(variable, raw) == value


REQUIRED = "This field is required."

REFUSED = [
    (StringVar(), "", REQUIRED),
    (StringVar(), "   ", REQUIRED),
    (StringVar(), ["a"], "Enter text."),
    (StringVar(), True, "Enter text."),
    (StringVar(), "a\x00b", "Null characters are not allowed."),
    (StringVar(), "a\ud800", "This text has characters that are not valid Unicode."),
    (StringVar(min_length=3), "ab", "Ensure this value has at least 3 characters (it has 2)."),
    (StringVar(max_length=1), "ab", "Ensure this value has at most 1 character (it has 2)."),
    (StringVar(regex="^b$"), "abc", "Invalid value. Must match regex: ^b$"),
    (TextVar(), " \n ", REQUIRED),
    (IntegerVar(), "", REQUIRED),
    (IntegerVar(), "1.5", "Enter a whole number."),
    (IntegerVar(), 1.5, "Enter a whole number."),
    (IntegerVar(), float("inf"), "Enter a whole number."),
    (IntegerVar(), float("nan"), "Enter a whole number."),
    (IntegerVar(), True, "Enter a whole number."),
    (IntegerVar(), [1], "Enter a whole number."),
    (IntegerVar(), "9" * 5000, "Enter a whole number."),
    (IntegerVar(), 2**70, "Enter a whole number with at most 64 bits."),
    (IntegerVar(min_value=0), -1, "Ensure this value is greater than or equal to 0."),
    (IntegerVar(max_value=0), 1, "Ensure this value is less than or equal to 0."),
    (BooleanVar(), "perhaps", "Enter true or false."),
    (BooleanVar(), [], None),
    (
        ChoiceVar(choices=CHOICES),
        "w",
        "Select a valid choice. w is not one of the available choices. Choose from: n, s.",
    ),
    (ChoiceVar(choices=CHOICES), "", REQUIRED),
    (
        ChoiceVar(choices=GROUPED),
        "Poles",
        "Select a valid choice. Poles is not one of the available choices. Choose from: n, s, e.",
    ),
    (MultiChoiceVar(choices=CHOICES), [], REQUIRED),
    (MultiChoiceVar(choices=CHOICES), "n", "Enter a list of values."),
    (
        MultiChoiceVar(choices=CHOICES),
        ["n", "x"],
        "Select a valid choice. x is not one of the available choices. Choose from: n, s.",
    ),
    (ObjectVar(model="m"), "9", "There is no such thing."),
    (ObjectVar(model="m"), ["1"], "Enter a primary key, or an object of lookups that match exactly one."),
    (ObjectVar(model="m"), True, "Enter a primary key, or an object of lookups that match exactly one."),
    (ObjectVar(model="m"), "", REQUIRED),
    (ObjectVar(model="m"), "null", "There is no such thing."),
    (MultiObjectVar(model="m"), "1", "Enter a list of values."),
    (MultiObjectVar(model="m"), ["1", "9"], "There is no such thing."),
]


@pytest.mark.parametrize(("variable", "raw", "message"), REFUSED)
def test_what_is_refused_and_in_which_words(variable: Variable, raw: Any, message: str | None):
    if message is None:
        assert cleaned(variable, raw) is False
    else:
        assert refusal(variable, raw) == message


def test_a_regex_that_takes_for_ever_is_stopped():
    assert "could not be checked in time" in refusal(StringVar(regex=r"^(a|a)*$"), "a" * 60 + "b")


def test_every_error_is_told_at_once_and_unknown_names_too():
    variables = [described(StringVar(), "a"), described(IntegerVar(), "b"), described(BooleanVar(), "c")]
    with pytest.raises(InvalidData) as refused:
        clean(variables, {"a": None, "x": 1}, objects=Shelf())
    assert refused.value.errors == {
        "x": [UNKNOWN],
        "a": ["a is a required field"],
        "b": [REQUIRED],
    }


@pytest.mark.parametrize("raw", [None, [], "text", 1])
def test_data_must_be_a_mapping(raw: Any):
    with pytest.raises(InvalidData) as refused:
        clean([], raw, objects=Shelf())
    assert refused.value.errors == [NOT_A_MAPPING]


def test_what_json_leaves_out_takes_its_default_but_a_form_says_empty():
    variables = [
        described(IntegerVar(default=0, required=False), "n"),
        described(BooleanVar(default=True), "b"),
    ]
    assert clean(variables, {}, objects=Shelf()) == {"n": 0, "b": True}
    assert clean(variables, {}, objects=Shelf(), form=True) == {"n": None, "b": False}


def test_names_that_python_or_forms_use_are_fine():
    names = ["data", "meta", "process", "errors", "validate", "items", "self"]
    variables = [described(StringVar(), name) for name in names]
    assert clean(variables, {name: name for name in names}, objects=Shelf()) == {n: n for n in names}


def test_query_params_refer_to_other_variables():
    shelf = Shelf()
    variables = [
        described(StringVar(required=False), "maker"),
        described(ObjectVar(model="m", query_params={"maker_id": "$maker", "state": ["a", "b"]}), "v"),
    ]
    clean(variables, {"maker": "5", "v": "1"}, objects=shelf)
    assert shelf.asked == ("m", "1", {"maker_id": "5", "state": ["a", "b"]})
    assert resolve_params({"maker_id": "$maker"}, {"maker": ""}) == {}


def test_restore_gives_the_job_objects():
    variables = [
        described(ObjectVar(model="m"), "one"),
        described(MultiObjectVar(model="m"), "many"),
        described(ObjectVar(model="m", required=False), "none"),
    ]
    data = {"one": "1", "many": ["1", "2"], "none": None}
    assert restore(variables, data, Shelf()) == {"one": "one", "many": ["one", "two"], "none": None}
    with pytest.raises(LookupError):
        restore(variables, {"one": "9"}, Shelf())


def test_options_may_be_given_by_position_as_the_field_does():
    assert described(StringVar(1, 5, None, "Label", "Help", "abc"))["label"] == "Label"
    assert described(BooleanVar("Label", "Help", True))["default"] is True
    assert described(ChoiceVar(CHOICES, "Label"))["label"] == "Label"
    assert described(IntegerVar(0, 9, "Label"))["max_value"] == 9


def test_a_queryset_still_names_the_model_with_a_warning():
    class Query:
        model = "m"

    with pytest.warns(DeprecationWarning, match="model="):
        assert ObjectVar(queryset=Query()).model_name == "m"


def test_an_object_variable_must_name_its_model():
    with pytest.raises(TypeError, match="ObjectVar must specify a model"):
        ObjectVar()


@pytest.mark.parametrize(
    "variable",
    [
        StringVar(regex="("),
        StringVar(min_length="3"),
        IntegerVar(min_value="1"),
        ChoiceVar(choices=[1, 2]),
        ChoiceVar(choices=3),
    ],
)
def test_options_that_cannot_work_are_told_to_the_author(variable: Variable):
    with pytest.raises(BadJob):
        described(variable)


def test_the_label_is_the_name_in_words():
    assert described(StringVar(), "site_name")["label"] == "Site name"
    assert described(StringVar(label="Name"), "site_name")["label"] == "Name"
