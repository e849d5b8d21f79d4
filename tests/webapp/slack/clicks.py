"""People in Slack who click and type."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from tests.slack_stand_in import SlackStandIn
from tests.slack_views import button_of, checked, filled, inputs_of
from tests.waiting import until

NOTHING: Mapping[str, Any] = {}


class People:
    def __init__(self, app: Flask, slack: SlackStandIn) -> None:
        self.app, self.slack = app, slack

    def send(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Send what somebody did; return what was acknowledged."""
        answer = self.app.test_client().post("/slack/events", **self.slack.signed(payload))
        assert answer.status_code == 200
        return answer.get_json(silent=True) or {}

    def ask(self, text: str, **facts: Any) -> dict[str, Any]:
        """Have somebody mention the bot; return the message that it answers with."""
        before = len(self.slack.messages)
        self.send(self.slack.mention(text, **facts))
        return until(lambda: self.slack.messages[before:], f"an answer to {text}")[0]

    def click(self, message: Mapping[str, Any], action: str = "errand.fill_in", user: str = "U1") -> None:
        self.send(self.slack.click(message, action, button_of(message, action)["value"], user))

    def open(self, text: str, **facts: Any) -> dict[str, Any]:
        self.click(self.ask(text, **facts))
        return self.view()

    def view(self) -> dict[str, Any]:
        return dict(checked(list(self.slack.views.values())[-1]))

    def submit(
        self, view: dict[str, Any], typed: Mapping[str, Any] = NOTHING, user: str = "U1"
    ) -> dict[str, Any]:
        return self.send(self.slack.submission(view, filled(view, typed), user))

    def choose(self, view: dict[str, Any], name: str, value: Any) -> None:
        """Choose something in a form, which Slack tells of."""
        block = inputs_of(view)[name]
        seen = {**view, "state": {"values": filled(view, {name: value})}}
        action = {
            "type": block["element"]["type"],
            "block_id": block["block_id"],
            "action_id": "errand.input",
        }
        self.send(
            self.slack.interaction("block_actions", view=seen, container={"type": "view"}, actions=[action])
        )

    def search(
        self, view: dict[str, Any], name: str, typed: str, held: Mapping[str, Any] = NOTHING
    ) -> list[str]:
        """Return what Slack offers somebody who types in an input. held: what is chosen in others."""
        seen = {**view, "state": {"values": filled(view, held)}}
        block = inputs_of(view)[name]["block_id"]
        asked = {"block_id": block, "action_id": "errand.search", "value": typed, "view": seen}
        answer = self.send(self.slack.interaction("block_suggestion", container={"type": "view"}, **asked))
        return [option["text"]["text"] for option in answer["options"]]
