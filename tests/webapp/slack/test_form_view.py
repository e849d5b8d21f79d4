"""A job's form as a modal of Slack: each kind of input as Slack has one for it, and back."""

import pytest

from tests.slack_views import checked, elements_of, filled, inputs_of
from tests.webapp.conftest import described
from webapp import run_form
from webapp.slack.form_view import form_view, name_of, options_of, read_state, why_not
from worker.questions import Questions

HOSTILE = "<!channel> & <@U1> *bold*"
MANY = [[f"v{number}", f"Choice {number}"] for number in range(150)]

VARIABLES = [
    described("StringVar", "host", description=HOSTILE, default="web-1", min_length=None, max_length=None, regex=None),
    described("TextVar", "notes", required=False, min_length=None, max_length=None, regex=None),
    described("IntegerVar", "count", min_value=1, max_value=9, default=3),
    described("DecimalVar", "price", required=False, min_value=None, max_value=None, decimal_places=2),
    described("BooleanVar", "force", required=False, default=True),
    described("ChoiceVar", "mode", choices=[["fast", "Fast"], ["Slow ones", [["slow", "Slow" * 30]]]]),
    described("ChoiceVar", "long", choices=MANY, required=False),
    described("MultiChoiceVar", "parts", choices=[["a", "A"], ["b", "B"]], default=["b"]),
    described("MultiChoiceVar", "many", choices=MANY[:90], default=["v3", "v4"]),
    described("DateVar", "day", default="2026-01-31", min_value=None, max_value=None),
    described("DateTimeVar", "at", default="2026-01-31T14:30:00+00:00", min_value=None, max_value=None),
    described("JSONVar", "extra", required=False, default={"a": [1]}),
    described("SecretVar", "token", required=False, min_length=None, max_length=None, regex=None),
]  # fmt: skip

#: What the form above holds before anybody has touched it.
UNTOUCHED = {
    "host": "web-1",
    "notes": "",
    "count": "3",
    "price": "",
    "force": "true",
    "mode": "",
    "long": "",
    "parts": ["b"],
    "many": ["v3", "v4"],
    "day": "2026-01-31",
    "at": "2026-01-31T14:30:00",
    "extra": '{\n  "a": [\n    1\n  ]\n}',
}


@pytest.fixture
def form_of(app, settings, make_job):
    """Build the form of a job with these variables, filled in with these values."""

    def build(variables, values=None, **more):
        job = make_job(f"Job {len(made)}", variables=variables)
        made.append(job)
        with app.extensions["errand"].data.session() as data:
            return run_form.build(job, values or {}, data, questions=Questions(settings, job), **more)

    made: list = []
    return build


def view_of(form, **more):
    facts = {"callback": "errand.run", "metadata": "{}", "page": "https://errand.example.com/jobs/x/"}
    return checked(form_view("Greet everybody in the whole house", form, **{**facts, **more}))


def test_every_kind_is_an_input_of_its_own_and_reads_back_what_it_held(form_of):
    view = view_of(form_of(VARIABLES))
    kinds = {name: element["type"] for name, element in elements_of(view).items()}
    assert kinds == {
        "host": "plain_text_input",
        "notes": "plain_text_input",
        "count": "number_input",
        "price": "plain_text_input",
        "force": "checkboxes",
        "mode": "static_select",
        "long": "external_select",
        "parts": "checkboxes",
        "many": "multi_static_select",
        "day": "datepicker",
        "at": "datetimepicker",
        "extra": "plain_text_input",
    }
    assert read_state(VARIABLES, {"state": {"values": filled(view)}}) == UNTOUCHED
    blocks = inputs_of(view)
    assert blocks["host"]["hint"]["text"] == HOSTILE, "a plain text: nothing in it means anything"
    assert "hint" not in blocks["at"], "Slack shows moments in the time of who reads them"
    assert (blocks["mode"]["optional"], blocks["long"]["optional"]) == (False, True)
    assert "Not given in Slack: Token. <https://errand" in str(view["blocks"][-1])
    assert view["title"]["text"] == "Greet everybody in the …"


def test_what_is_typed_and_chosen_is_data(form_of):
    view = view_of(form_of(VARIABLES))
    typed = {
        "host": "; rm -rf $(x)\x00",
        "force": [],
        "mode": "slow",
        "long": "v149",
        "parts": [],
        "many": ["v89"],
        "day": None,
        "at": 1_764_410_400,
    }
    held = read_state(VARIABLES, {"state": {"values": filled(view, typed)}})
    assert held == UNTOUCHED | {
        **typed,
        "force": "",
        "day": "",
        "at": "2025-11-29T10:00:00",
    }


def test_what_a_field_cannot_hold_stays_as_it_was_typed(form_of):
    wrong = {"count": "many", "day": "2026-99-99", "at": "2026-99-99T00:00", "mode": "no such"}
    elements = elements_of(view_of(form_of(VARIABLES, wrong)))
    assert {elements[name]["type"] for name in ("count", "day", "at")} == {"plain_text_input"}
    assert [elements[name]["initial_value"] for name in ("count", "day", "at")] == [
        "many",
        *list(wrong.values())[1:3],
    ]
    assert "initial_option" not in elements["mode"]


def test_long_lists_are_searched(form_of):
    form = form_of(VARIABLES)
    [field] = [field for field in form.fields if field.name == "long"]
    assert [option["value"] for option in options_of(field.options, "choice 14")][:3] == [
        "v14",
        "v114",
        "v140",
    ]
    assert len(options_of(field.options)) == 100


def test_fields_follow_others_and_are_named_after_what_they_are_shown_for(form_of):
    variables = [
        described("BooleanVar", "more", required=False),
        described("StringVar", "why", shown_if={"more": True}, min_length=None, max_length=None, regex=None),
    ]
    closed, opened = (inputs_of(view_of(form_of(variables, {"more": said}))) for said in ("", "true"))
    assert (set(closed), set(opened)) == ({"more"}, {"more", "why"})
    assert [opened[name]["dispatch_action"] for name in opened] == [True, False]
    assert name_of(opened["why"]["block_id"]) == "why"


def test_refusals_stand_above_their_fields(form_of):
    form = form_of(VARIABLES[:1], errors={"host": ["Not <that> one."], "other": ["Gone."]})
    said = str(view_of(form, problems=["Look again."])["blocks"])
    assert "Not &lt;that&gt; one." in said
    assert "other: Gone." in said
    assert "Look again." in said


@pytest.mark.parametrize(
    ("variable", "values", "sentence"),
    [
        (described("SecretVar", "token"), {}, "Token is a secret, which is not given in Slack."),
        (described("FileVar", "list"), {}, "List is a file, which is not given in Slack."),
        (described("TextVar", "text"), {"text": "x" * 3_001}, "What Text holds is longer than Slack shows."),
        (described("ChoiceVar", "one", choices=[["x" * 151, "X"]]), {}, "The choices of One are longer than Slack shows."),
        (described("MultiChoiceVar", "all", choices=MANY), {"all": [value for value, _ in MANY]}, "More is chosen in All than Slack shows."),
    ],
)  # fmt: skip
def test_what_slack_cannot_show_is_filled_in_on_the_page(form_of, variable, values, sentence):
    assert why_not(form_of([variable], values)) == sentence


def test_a_form_has_only_so_many_inputs_in_slack(form_of):
    many = [described("StringVar", f"v{number}", required=False) for number in range(46)]
    assert why_not(form_of(many)) == "It has more inputs than Slack shows."
    most = many[:45]
    assert why_not(form_of(most)) == ""
    refused = {variable["name"]: ["No."] for variable in most}
    assert len(inputs_of(view_of(form_of(most, errors=refused), problems=["Look again."]))) == 45
