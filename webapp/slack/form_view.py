"""The form of a job as a modal of Slack: its fields as blocks, and what was typed into them.

The fields are those of the page (see webapp.run_form): what is asked for, what it holds at first and what there is to
choose from is the same here and there. A block is called after its variable, and after the state it is shown for:
Slack keeps what was typed in a block of the same name, and so it shows a field anew whose choices are others now.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from webapp.fields import Field
from webapp.pickers import Option, Text, is_multiple
from webapp.run_form import RunForm
from webapp.slack.blocks import INPUT, LONGEST_LABEL, LONGEST_SECTION, modal, plain, section
from worker.messages import cut, mrkdwn

#: Our own name for what is chosen of many, which are looked up while somebody types.
SEARCH = "errand.search"

# What Slack takes.
MOST_OPTIONS, MOST_CHECKBOXES = 100, 10
LONGEST_HINT, LONGEST_TEXT, LONGEST_HEADER, LONGEST_OPTION, LONGEST_VALUE = 2_000, 3_000, 150, 75, 150

#: Inputs and headings of a form: each may have a warning above it, and Slack shows 100 blocks.
MOST_INPUTS = 45

_WRITTEN = ("text", "area", "decimal", "json", "number", "slider", "date", "moment")
_CHOSEN = ("segments", "select", "radios")
_LISTED = ("checks", "list")
_ONLY_ON_PAGES = ("file", "secret")


def why_not(form: RunForm) -> str:
    """Say why this form has to be filled in on its page; "" where Slack can show it."""
    asked = _asked(form)
    for field in asked:
        if field.kind in _ONLY_ON_PAGES and field.required:
            what = "a file" if field.kind == "file" else "a secret"
            return f"{field.label} is {what}, which is not given in Slack."
        if field.kind in _WRITTEN and len(str(field.value)) > LONGEST_TEXT:
            return f"What {field.label} holds is longer than Slack shows."
        if len(field.chosen) > MOST_OPTIONS:
            return f"More is chosen in {field.label} than Slack shows."
        if any(len(option.value) > LONGEST_VALUE for option in field.options):
            return f"The choices of {field.label} are longer than Slack shows."
    shown = len(asked) + len({field.group for field in asked if field.group})
    return "It has more inputs than Slack shows." if shown > MOST_INPUTS else ""


def form_view(
    title: str,
    form: RunForm,
    *,
    callback: str,
    metadata: str,
    page: str,
    submit: str = "Run",
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the modal. page: the address of the job's own; problems: what stands above the fields."""
    blocks = _warning(*problems, *form.errors, *form.queue_errors)
    group, left_out = "", []
    for field in _asked(form):
        if field.kind in _ONLY_ON_PAGES:
            left_out.append(field.label)
            continue
        if field.group != group:
            group = field.group
            blocks.append(_heading(group))
        blocks += [*_warning(*field.problems, *field.errors), _block(field)]
    blocks += _foot(left_out, page)
    return modal(title, blocks, callback=callback, metadata=metadata, submit=submit)


def blocks_by_name(view: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of the blocks that somebody has before them, by variable."""
    ids = [block["block_id"] for block in view.get("blocks", ()) if block["type"] == "input"]
    return {name_of(block_id): block_id for block_id in ids}


def name_of(block_id: str) -> str:
    return block_id.partition(":")[2]


def block_id(field: Field) -> str:
    return f"{field.state}:{field.name}"


def read_state(variables: Iterable[Mapping[str, Any]], view: Mapping[str, Any]) -> dict[str, Text]:
    """Return what the blocks of a modal hold, {variable: text, or a list of texts}, as a form of the page sends it."""
    multiple = {variable["name"] for variable in variables if is_multiple(variable)}
    held: dict[str, Text] = {}
    for key, actions in (view.get("state") or {}).get("values", {}).items():
        name = name_of(key)
        texts = [text for state in actions.values() for text in _texts(state)]
        held[name] = texts if name in multiple else "".join(texts[:1])
    return held


def options_of(options: Sequence[Option], typed: str = "") -> list[dict[str, Any]]:
    """Return choices as Slack lists them, of those of a long list what has the typed words."""
    words = typed.lower().split()
    found = [each for each in options if each.value and all(word in each.label.lower() for word in words)]
    return [_option(each) for each in found[:MOST_OPTIONS] if len(each.value) <= LONGEST_VALUE]


# --- One field ------------------------------------------------------------------------------------------------


def _asked(form: RunForm) -> list[Field]:
    return [field for field in form.fields if field.kind != "hidden" and not field.hidden]


def _heading(group: str) -> dict[str, Any]:
    return {"type": "header", "text": plain(group, LONGEST_HEADER)} if group else {"type": "divider"}


def _warning(*sentences: str) -> list[dict[str, Any]]:
    return [section(f":warning: {mrkdwn(' '.join(sentences))}")] if sentences else []


def _block(field: Field) -> dict[str, Any]:
    block: dict[str, Any] = {
        "type": "input",
        "block_id": block_id(field),
        "label": plain(field.label, LONGEST_LABEL),
        "element": {"action_id": INPUT, **_element(field)},
        "optional": not field.required,
        # Other fields are there, or hold what they do, for what this one holds.
        "dispatch_action": field.is_source,
    }
    hint = field.help
    if block["element"]["type"] == "datetimepicker":
        # Slack shows a moment as the clock of its reader does.
        hint = hint.removesuffix("In UTC.").strip()
    return {**block, "hint": plain(hint, LONGEST_HINT)} if hint else block


def _element(field: Field) -> dict[str, Any]:
    if field.kind == "switch":
        return _switch(field)
    if field.kind == "picker":
        chosen = field.picker.chosen if field.picker else []
        return {"action_id": SEARCH, "min_query_length": 0, **_select(field, "external", chosen)}
    if field.kind in _CHOSEN or field.kind in _LISTED:
        return _choice(field)
    return _written(field)


def _written(field: Field) -> dict[str, Any]:
    value = str(field.value)
    if field.kind == "date" and _is_date(value):
        return {"type": "datepicker", **({"initial_date": value} if value else {})}
    if field.kind == "moment" and (moment := _seconds(value)) is not None:
        return {"type": "datetimepicker", **({"initial_date_time": moment} if moment else {})}
    if field.kind in ("number", "slider"):
        element: dict[str, Any] = {"type": "number_input", "is_decimal_allowed": False}
        value = value.strip()
    else:
        element = {"type": "plain_text_input", "multiline": field.kind in ("area", "json")}
    return {**element, **({"initial_value": value} if value else {})}


def _switch(field: Field) -> dict[str, Any]:
    yes = _option(Option("true", "Yes", False))
    return {
        "type": "checkboxes",
        "options": [yes],
        **({"initial_options": [yes]} if field.value == "true" else {}),
    }


def _choice(field: Field) -> dict[str, Any]:
    offered = [option for option in field.options if option.value]
    chosen = [option for option in offered if option.chosen]
    if not offered or len(offered) > MOST_OPTIONS:
        return {"action_id": SEARCH, "min_query_length": 0, **_select(field, "external", chosen)}
    if field.kind == "checks" and len(offered) <= MOST_CHECKBOXES:
        ticked = {"initial_options": [_option(each) for each in chosen]} if chosen else {}
        return {"type": "checkboxes", "options": [_option(each) for each in offered], **ticked}
    return {**_select(field, "static", chosen), **_listed(offered)}


def _select(field: Field, kind: str, chosen: Sequence[Option]) -> dict[str, Any]:
    made = [_option(option) for option in chosen]
    if field.multiple:
        return {"type": f"multi_{kind}_select", **({"initial_options": made[:MOST_OPTIONS]} if made else {})}
    return {"type": f"{kind}_select", **({"initial_option": made[0]} if made else {})}


def _listed(offered: Sequence[Option]) -> dict[str, Any]:
    if not any(option.group for option in offered):
        return {"options": [_option(option) for option in offered]}
    groups: dict[str, list[dict[str, Any]]] = {}
    for option in offered:
        groups.setdefault(option.group, []).append(_option(option))
    return {
        "option_groups": [
            {"label": plain(name or "Others", LONGEST_OPTION), "options": options}
            for name, options in groups.items()
        ]
    }


def _option(option: Option) -> dict[str, Any]:
    return {"text": plain(option.label or option.value, LONGEST_OPTION), "value": option.value}


def _seconds(text: str) -> int | None:
    """Return a moment as Slack has it: 0 for none, and None for one that it cannot show."""
    try:
        seconds = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) if text else 0
    except ValueError:
        return None
    return seconds if not text or 10**9 <= seconds < 10**10 else None


def _is_date(text: str) -> bool:
    try:
        return not text or bool(date.fromisoformat(text))
    except ValueError:
        return False


def _texts(state: Mapping[str, Any]) -> list[str]:
    """Return what one element holds."""
    if (moment := state.get("selected_date_time")) is not None:
        return [datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")[:19]]
    chosen = state.get("selected_options") or [state.get("selected_option")]
    texts = [option["value"] for option in chosen if option]
    return texts or [text for name in ("value", "selected_date") if (text := state.get(name))]


def _foot(left_out: Sequence[str], page: str) -> list[dict[str, Any]]:
    said = []
    if left_out:
        said.append(f"Not given in Slack: {mrkdwn(', '.join(left_out))}.")
    if page:
        said.append(f"<{page}|Open the form in the portal>")
    text = {"type": "mrkdwn", "text": cut(" ".join(said), LONGEST_SECTION)}
    return [{"type": "context", "elements": [text]}] if said else []
