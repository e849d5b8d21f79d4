"""Inputs that are asked for only with others, groups of inputs, and presets: what a description says of them."""

import pytest

from jobs import BooleanVar, ChoiceVar, FileVar, IntegerVar, Job, MultiChoiceVar, SecretVar, StringVar
from jobs.data import clean
from jobs.describe import describe
from jobs.errors import BadJob, InvalidData
from jobs.form import NoObjects
from jobs.showing import in_order

SIZES = [("s", "Small"), ("l", "Large")]


def described(meta=None, **members):
    if meta:
        members["Meta"] = type("Meta", (), meta)
    return describe(type("Example", (Job,), members), grouping="")


def bad(sentence, meta=None, **members):
    with pytest.raises(BadJob) as error:
        described(meta, **members)
    assert sentence in str(error.value)


def data(raw, *, form=False, **members):
    return clean(described(**members)["variables"], raw, objects=NoObjects(), form=form)


@pytest.mark.parametrize(
    ("kind", "condition", "value", "shown"),
    [
        (StringVar(required=False), "x", "x", True),
        (StringVar(required=False), ["x", "y"], "y", True),
        (StringVar(required=False), "x", "", False),
        (StringVar(required=False), True, "", False),
        (StringVar(required=False), False, "", True),
        (BooleanVar(), True, True, True),
        (BooleanVar(), True, False, False),
        (BooleanVar(), False, False, True),
        (IntegerVar(required=False), True, 0, True),
        (IntegerVar(required=False), 3, "3", True),
        (IntegerVar(required=False), True, None, False),
        (ChoiceVar(choices=[(1, "One"), (2, "Two")]), 1, "1", True),
        (MultiChoiceVar(choices=SIZES, required=False), "l", ["s", "l"], True),
        (MultiChoiceVar(choices=SIZES, required=False), True, [], False),
    ],
)
def test_a_variable_is_shown_as_its_condition_says(kind, condition, value, shown):
    members = {"a": StringVar(default="its default", shown_if={"other": condition}), "other": kind}
    assert data({"other": value}, **members)["a"] == ("its default" if shown else "")


def test_what_hangs_on_something_hidden_is_hidden():
    members = {
        "first": BooleanVar(),
        "second": BooleanVar(default=True, shown_if={"first": True}),
        "third": StringVar(shown_if={"second": False}),
    }
    assert data({}, **members) == {"first": False, "second": False, "third": ""}
    with pytest.raises(InvalidData) as refusal:
        data({"third": "x"}, **members)
    assert refusal.value.errors == {"third": ["This is not asked for unless second is false."]}


def test_the_order_of_the_form_is_kept_whatever_depends_on_what():
    members = {"a": StringVar(shown_if={"c": True}), "b": StringVar(), "c": StringVar(required=False)}
    assert list(data({"b": "x"}, **members)) == ["a", "b", "c"]
    variables = described(**members)["variables"]
    assert [each["name"] for each in in_order(variables)] == ["c", "a", "b"]


def test_conditions_that_cannot_work_are_load_errors():
    bad("names 'b', which is no variable", a=StringVar(shown_if={"b": True}))
    bad("depends on itself", a=StringVar(shown_if={"a": True}))
    bad("depends on itself", a=StringVar(shown_if={"b": True}), b=StringVar(shown_if={"a": True}))
    bad("none of its choices", a=StringVar(shown_if={"b": "x"}), b=ChoiceVar(choices=SIZES))
    bad("which is a file", a=StringVar(shown_if={"b": True}), b=FileVar())
    bad("which is a secret", a=StringVar(shown_if={"b": True}), b=SecretVar())
    bad("must be a mapping", a=StringVar(shown_if="b"), b=StringVar())
    bad("names no value", a=StringVar(shown_if={"b": []}), b=StringVar())


def test_who_takes_values_says_of_what():
    bad("depends_on must name", a=ChoiceVar(choices=lambda values: SIZES))
    bad("depends_on must name", a=ChoiceVar(choices="sizes"), sizes=lambda self, values: SIZES)
    bad("nothing of it is computed", a=StringVar(depends_on="b"), b=StringVar())
    bad("no variable", a=StringVar(default=lambda values: "", depends_on="c"))
    both = described(a=ChoiceVar(choices=lambda job, values: SIZES, depends_on=["b"]), b=StringVar())
    assert both["variables"][0]["depends_on"] == ["b"]
    # As before there were values.
    described(a=ChoiceVar(choices=lambda job: SIZES), b=ChoiceVar(choices=lambda: SIZES))


def test_fieldsets_give_order_and_headings():
    variables = {"a": StringVar(), "b": StringVar(), "c": StringVar()}
    fieldsets = (("Where", ("c",)), ("What", ["a"]))
    found = described({"fieldsets": fieldsets}, **variables)["variables"]
    assert [(each["name"], each.get("group")) for each in found] == [
        ("b", None),
        ("c", "Where"),
        ("a", "What"),
    ]
    bad("'x', which is no variable", {"fieldsets": [("What", ["x"])]}, **variables)
    bad("'a' twice", {"fieldsets": [("What", ["a"]), ("Where", ["a"])]}, **variables)
    bad("must be a list of", {"fieldsets": ["What"]}, **variables)
    bad("must be a list of", {"fieldsets": [("What", "a")]}, **variables)


def test_presets_are_checked():
    variables = {"days": IntegerVar(max_value=9), "deep": BooleanVar(), "key": SecretVar()}
    presets = {"Weekly check": {"days": 7, "deep": False}}
    assert described({"presets": presets}, **variables)["presets"] == presets
    bad("'x', which is no variable", {"presets": {"A": {"x": 1}}}, **variables)
    bad("does not fit days", {"presets": {"A": {"days": 10}}}, **variables)
    bad("which is a secret", {"presets": {"A": {"key": "x"}}}, **variables)
    bad("must be a mapping", {"presets": {"A": 1}}, **variables)
    bad("The name of a preset", {"presets": {"": {}}}, **variables)
