"""Arguments of Bots Scheduler as inputs of a form."""

from typing import Any

import pytest

from jobs.data import clean
from jobs.errors import InvalidData
from jobs.form import NoObjects
from jobs.json_text import JSONVar
from jobs.kinds import from_description
from jobs.variables import IntegerVar, StringVar
from webapp.fields import build_field

LEVEL = IntegerVar(2, 8, step=3, default=2, widget="range", label="Level")
WORDS = JSONVar(label="Words")
PLAIN = StringVar(label="Plain")
LEVEL.name, WORDS.name, PLAIN.name = "level", "words", "plain"
WORDS.listed = PLAIN.keeps_numbers = True
DESCRIBED = [LEVEL.describe(), WORDS.describe(), PLAIN.describe()]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("2", "slider"), ("8", "slider"), ("", "slider"), ("3", "number"), ("9", "number"), ("x", "text")],
)
def test_a_range_is_a_slider_where_that_can_stand_at_its_value(value: str, kind: str):
    field = build_field(DESCRIBED[0], {"level": value}, None)  # type: ignore[arg-type]
    assert field.kind == kind
    assert kind == "text" or field.limits == {"min": 2, "max": 8, "step": 3}


def test_values_are_judged_by_descriptions_alone():
    def cleaned(**raw: Any) -> dict[str, Any]:
        return clean(DESCRIBED, {"level": "5", "words": "a b", "plain": "7", **raw}, objects=NoObjects())

    assert cleaned() == {"level": 5, "words": ["a b"], "plain": "7"}
    assert cleaned(words="[1, 2]", plain=7.5) == {"level": 5, "words": [1, 2], "plain": 7.5}
    assert cleaned(words=["x"], plain=True) == {"level": 5, "words": ["x"], "plain": True}
    assert cleaned(words="7")["words"] == [7]
    with pytest.raises(InvalidData) as refusal:
        cleaned(level=4, plain=["a"])
    assert refusal.value.errors == {
        "level": ["Enter 2, or that and a multiple of 3."],
        "plain": ["Enter text."],
    }
    # Made again from its description, a variable says the same of itself.
    assert from_description(DESCRIBED[1]).describe() == DESCRIBED[1]
