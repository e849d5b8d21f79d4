"""A modal as somebody in Slack has it before them: it is as Slack takes it, and they type and choose in it."""

from collections.abc import Mapping
from typing import Any

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

_WRITTEN = {"plain_text_input": "value", "number_input": "value", "datepicker": "selected_date"}


def checked(view: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a modal that Slack's own library takes."""
    View(**view).validate_json()
    for block in Block.parse_all(view["blocks"]):
        block.validate_json()
    for block in view["blocks"]:
        element = block.get("element", {})
        groups = [group["options"] for group in element.get("option_groups", ())]
        options = element.get("options", []) + [option for group in groups for option in group]
        for option in options:
            assert 0 < len(option["text"]["text"]) <= 75
            assert 0 < len(option["value"]) <= 150
        assert len(options) <= (10 if element.get("type") == "checkboxes" else 100)
        for chosen in [*element.get("initial_options", ()), element.get("initial_option")]:
            assert chosen is None or "external" in element["type"] or chosen in options
        assert len(element.get("initial_value", "")) <= 3_000
    assert len(view.get("private_metadata", "")) <= 3_000
    return view


def inputs_of(view: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the input blocks by variable."""
    blocks = [block for block in view["blocks"] if block["type"] == "input"]
    return {block["block_id"].rpartition(":")[2]: block for block in blocks}


def elements_of(view: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: block["element"] for name, block in inputs_of(view).items()}


def filled(view: Mapping[str, Any], typed: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the state of all inputs, {block id: {action id: state}}: what they held, and what is typed into some."""
    assert typed.keys() <= inputs_of(view).keys()
    return {
        block["block_id"]: {block["element"]["action_id"]: _state(block["element"], typed.get(name, ...))}
        for name, block in inputs_of(view).items()
    }


def _state(element: Mapping[str, Any], typed: Any) -> dict[str, Any]:
    kind = element["type"]
    held = {**element, "value": element.get("initial_value"), "selected_date": element.get("initial_date")}
    if kind in _WRITTEN:
        part = _WRITTEN[kind]
        return {"type": kind, part: held[part] if typed is ... else typed}
    if kind == "datetimepicker":
        return {
            "type": kind,
            "selected_date_time": element.get("initial_date_time") if typed is ... else typed,
        }
    if kind.startswith("multi") or kind == "checkboxes":
        chosen = [option["value"] for option in element.get("initial_options", ())] if typed is ... else typed
        return {"type": kind, "selected_options": [_option(value) for value in chosen]}
    first = (element.get("initial_option") or {}).get("value") if typed is ... else typed
    return {"type": kind, "selected_option": _option(first) if first else None}


def _option(value: str) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": value}, "value": value}


def button_of(message: Mapping[str, Any], action_id: str) -> dict[str, Any]:
    """Return a button of a message."""
    elements = [each for block in message["blocks"] for each in block.get("elements", ())]
    return next(each for each in elements if each.get("action_id") == action_id)
