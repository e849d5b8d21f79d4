"""Forms of jobs in Slack: from a command that is only begun to a run."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from examples.inventory.models import DeviceType, Manufacturer
from store.models import AuditRecord, JobResult, SlackRequest
from store.settings import Settings
from tests.slack_stand_in import SlackStandIn
from tests.slack_views import checked, elements_of, inputs_of
from tests.waiting import until
from tests.webapp.conftest import described
from tests.webapp.slack.conftest import command
from webapp.run_form import followed_text
from webapp.slack import in_time
from webapp.slack.fill_in import Asked, read_asked
from webapp.slack.filling import Filling
from worker.questions import Questions

ONE_LINE = {"min_length": None, "max_length": 50, "regex": None}
COPY = [
    described("StringVar", "file", **ONE_LINE),
    described("ChoiceVar", "host", choices=[["web", "Web"], ["mail", "Mail"]]),
    described("BooleanVar", "force", required=False),
    described("StringVar", "why", shown_if={"force": True}, **ONE_LINE),
]


@pytest.fixture
def copy(make_job):
    return make_job("Copy", variables=COPY, slack_commands=[command("test copy [file] to [host]")])


def results(db) -> list[JobResult]:
    with db.begin():
        return list(db.scalars(select(JobResult)))


def test_what_is_missing_of_a_command_is_filled_in(people, slack, db, copy):
    message = people.ask("test copy a b to")
    assert message["text"] == ":pencil2: `test copy [file] to [host]` needs more: `host`"
    people.click(message)
    view = people.view()
    assert (view["title"]["text"], view["submit"]["text"]) == ("Copy", "Run")
    assert elements_of(view)["file"]["initial_value"] == "a b"
    hostile = "; rm -rf $(x) {y}\n`z` \N{SNOWMAN}"
    assert people.submit(view, {"file": hostile, "host": "mail"}) == {}
    [result] = results(db)
    assert result.data == {"file": hostile, "host": "mail", "force": False, "why": ""}
    assert (result.username, result.origin) == ("slack-alice", "slack")
    with db.begin():
        asked = db.scalars(select(SlackRequest)).one()
        actors = db.execute(
            select(AuditRecord.actor, AuditRecord.via).where(AuditRecord.action == "run.submit")
        )
        assert list(actors) == [("slack-alice", "slack")]
    assert (asked.channel, asked.thread_ts) == ("C1", message["thread_ts"])
    assert asked.message_ts == asked.thread_ts, "it is the message that began the thread"
    assert (asked.slack_user, asked.is_im) == ("U1", False)
    until(lambda: message["text"] == "<@U1> asked for *Copy*.", "that somebody asked")
    assert ("C1", asked.message_ts, "kuai-kuai-green") in slack.reactions
    assert "errand.fill_in" not in str(message["blocks"])
    assert people.submit(view, {"file": hostile, "host": "mail"}) == {}, (
        "Slack was slow, and it was sent twice"
    )
    assert len(results(db)) == 1
    again = people.submit(view, {"file": "other", "host": "mail"})
    assert "This key was used before" in str(again["view"]["blocks"])
    assert elements_of(checked(again["view"]))["file"]["initial_value"] == "other", "what was typed stays"


def test_what_a_button_remembers_is_cut_to_what_it_holds():
    asked = Asked("1", given={"file": "x" * 2_000}, message="1.2", delay=0.0)
    assert read_asked(asked.written(3_000)) == asked
    assert read_asked(asked.written(2_000)) == replace(asked, given={})
    assert asked.written(10) == ""


def test_refusals_stand_at_their_inputs(people, db, copy):
    view = people.open("test copy")
    nul = people.submit(view, {"file": "a\x00b", "host": "web"})
    assert nul["errors"].keys() == {":file"}
    said = people.submit(view, {"file": "x" * 51})
    assert said == {
        "response_action": "errors",
        "errors": {
            ":file": "Ensure this value has at most 50 characters (it has 51).",
            ":host": "This field is required.",
        },
    }
    assert results(db) == []
    assert people.submit(view, {"file": "x", "host": "web"}) == {}
    assert len(results(db)) == 1


def test_a_command_that_is_refused_can_be_mended(people, slack, db, copy):
    message = people.ask("test copy a to nowhere")
    assert "nowhere is not one of the available choices" in message["text"]
    people.click(message)
    assert people.submit(people.view(), {"host": "web"}) == {}
    assert results(db)[0].data["file"] == "a"


def test_a_form_follows_what_is_chosen_in_it(people, slack, db, copy):
    view = people.open("test copy a to")
    assert "why" not in inputs_of(view)
    late = people.submit(view, {"host": "web", "force": ["true"]})
    assert late["response_action"] == "update", "it was sent off before it had followed"
    assert "Other inputs are asked for now." in str(late["view"]["blocks"][0])
    people.choose(view, "force", ["true"])
    view = until(lambda: "why" in inputs_of(people.view()) and people.view(), "the form has followed")
    assert people.submit(view, {"host": "web"})["errors"].keys() == {inputs_of(view)["why"]["block_id"]}
    assert people.submit(view, {"host": "web", "why": "because"}) == {}
    assert results(db)[0].data == {"file": "a", "host": "web", "force": True, "why": "because"}


def test_what_nobody_sees_and_what_follows_others_keeps_its_default(people, app, db, cast, make_job):
    variables = [COPY[0], described("StringVar", "origin", default="slack", widget="hidden", **ONE_LINE)]
    job = make_job("Note", variables=variables, slack_commands=[command("test note [file]")])
    view = people.open("test note")
    assert set(inputs_of(view)) == {"file"}
    assert people.submit(view, {"file": "a"}) == {}
    assert results(db)[0].data == {"file": "a", "origin": "slack"}
    asked = Asked(str(job.id), followed={"file": followed_text("a.txt")})
    filling = Filling(app.extensions["slack"].bot, asked, job, cast["alice"])
    assert filling.values({"file": "a.txt"}) == {}, "nobody has typed over it"
    assert filling.values({"file": "b.txt"}) == {"file": "b.txt"}


def test_nobody_gets_a_form_of_what_they_may_not_run(people, slack, db, copy):
    message = people.ask("test copy")
    with db.begin():
        db.get_one(type(copy), copy.id).restricted = True
    people.click(message, user="U3")
    [told] = slack.called("response_url")
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    assert slack.views == {}
    people.click(message)
    view = people.view()
    assert "Not run" in str(people.submit(view, {"file": "a", "host": "web"}, user="U3"))
    with db.begin():
        db.get_one(type(copy), copy.id).enabled = False
    assert "Not run" in str(people.submit(view, {"file": "a", "host": "web"}))
    assert results(db) == []


def test_what_slack_cannot_show_is_on_its_page(people, make_job, copy):
    make_job("Log in", variables=[described("SecretVar", "token", **ONE_LINE), COPY[0]],
             slack_commands=[command("test log in [file]")])  # fmt: skip
    view = people.open("test log in")
    assert "Token is a secret, which is not given in Slack." in str(view["blocks"])
    assert "submit" not in view


def test_what_takes_its_time_is_answered_in_the_form(
    people, slack, db, copy, monkeypatch: pytest.MonkeyPatch
):
    message = people.ask("test copy a to")
    monkeypatch.setattr(Questions, "needed", lambda self: True)
    people.click(message)
    assert slack.called("views.open")[0]["view"] == in_time.BUSY, (
        "Slack opens nothing later than three seconds"
    )
    until(lambda: inputs_of(people.view()), "the form")
    monkeypatch.setattr(in_time, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(in_time, "GRACE_SECONDS", 0)
    view = people.view()
    assert people.submit(view)["view"]["title"]["text"] == "One moment…"
    until(lambda: "This field is required." in str(people.view()["blocks"]), "the refusal")
    people.submit(view, {"host": "web"})
    until(lambda: "asked for *Copy*" in str(people.view()["blocks"]), "that it is done")
    assert len(results(db)) == 1


MANY = [[f"v{number}", f"Choice {number}"] for number in range(150)]
INSTALL = [
    described("ObjectVar", "maker", model="inventory.manufacturer"),
    described(
        "MultiObjectVar", "boxes", model="inventory.devicetype", query_params={"manufacturer": "$maker"}
    ),
    described("ChoiceVar", "long", choices=MANY),
]


class TestObjects:
    @pytest.fixture
    def slack_settings(self, inventory_settings: Settings, slack: SlackStandIn) -> Settings:
        return replace(inventory_settings, slack=slack.settings())

    def test_what_there_are_many_of_is_searched(self, app, people, db, make_job):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for name in ("One", "Two"):
                maker = Manufacturer(name=f"Maker {name}", slug=name.lower())
                maker.save()
                DeviceType(manufacturer=maker, model=f"Box {name}", slug=name.lower()).save()
            session.commit()
        make_job("Install", variables=INSTALL, slack_commands=[command("test install [maker]")])
        view = people.open("test install")
        assert people.search(view, "maker", "two") == ["Maker Two"]
        assert people.search(view, "boxes", "") == ["Maker One Box One", "Maker Two Box Two"]
        assert people.search(view, "boxes", "", {"maker": "2"}) == ["Maker Two Box Two"]
        assert people.search(view, "long", "choice 149") == ["Choice 149"]
        said = people.submit(view, {"maker": "2", "boxes": ["1"], "long": "v149"})
        assert said["errors"].keys() == {":boxes"}
        assert people.submit(view, {"maker": "2", "boxes": ["2"], "long": "v149"}) == {}
        assert results(db)[0].data == {"maker": 2, "boxes": [2], "long": "v149"}
