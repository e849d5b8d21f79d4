"""One variable as an input: what kind it is, what it holds and allows."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from jobs.files import in_units
from jobs.showing import narrowed_by
from webapp.pickers import Option, Picker, Text, is_multiple, picker

#: What inputs are called; a variable may be called anything, `csrf_token` too.
PREFIX = "v-"
SEARCH_PREFIX = "q-"

MOST_SEGMENTS = 4
LONGEST_SEGMENTS = 44
MOST_CHECKBOXES = 8

#: Kinds that may be there without being seen.
HIDEABLE = ("text", "number", "decimal", "date", "moment", "area", "json")

#: Kinds that are one input, which its label can name.
SINGLE = ("text", "number", "slider", "decimal", "date", "moment", "area", "json", "select", "file", "secret")


@dataclass(slots=True)
class Field:
    """One variable as an input."""

    name: str
    kind: str
    label: str
    help: str
    required: bool
    value: Text = ""
    errors: list[str] = field(default_factory=list)
    #: What the job's code should have computed for it, and why it did not.
    problems: list[str] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    #: min, max, step, minlength, maxlength.
    limits: dict[str, Any] = field(default_factory=dict)
    multiple: bool = False
    #: It is no input like the others, but says how the job is run.
    dry_run: bool = False
    picker: Picker | None = None
    #: Names of the variables that narrow this one's choices; and of those of them whose change it hears of itself.
    narrowed_by: list[str] = field(default_factory=list)
    depends_on: list[str] = field(default_factory=list)
    #: The heading it stands under.
    group: str = ""
    #: Not asked for now: what it holds is only carried on.
    hidden: bool = False
    #: A change of it changes other fields.
    is_source: bool = False
    #: What it is shown for; "" for one that stays as it is whatever the others hold.
    state: str = ""
    #: A default that follows other inputs, as long as nobody types over it.
    followed: str | None = None

    @property
    def input(self) -> str:
        return PREFIX + self.name

    @property
    def id(self) -> str:
        """What scripts of form templates, and those written for Django's forms, find it by."""
        return f"id_{self.name}"

    @property
    def single(self) -> bool:
        """Whether it is one input, which its label can name."""
        return self.kind in SINGLE

    @property
    def carried(self) -> list[str]:
        """What is sent along of a field that nobody sees."""
        if self.kind in ("secret", "file"):
            return []
        return self.value if isinstance(self.value, list) else [self.value]

    @property
    def search_input(self) -> str:
        return SEARCH_PREFIX + self.name

    @property
    def chosen(self) -> list[Option]:
        return self.picker.chosen if self.picker else [option for option in self.options if option.chosen]

    @property
    def groups(self) -> list[tuple[str, list[Option]]]:
        groups: dict[str, list[Option]] = {}
        for option in self.options:
            groups.setdefault(option.group, []).append(option)
        return list(groups.items())


def build_field(
    variable: Mapping[str, Any],
    values: Mapping[str, Text],
    data: Session,
    search: str = "",
    *,
    fitting: bool = False,
    looks: bool = True,
) -> Field:
    """Make one input. With `fitting`, choices that no longer fit the other inputs are dropped.

    looks: whether it is seen, and so needs to know what there is to choose from.
    """
    value = values.get(variable["name"], "")
    made = Field(
        name=variable["name"],
        kind="text",
        label=variable.get("label") or variable["name"],
        help=variable.get("description") or "",
        required=bool(variable.get("required")),
        value=value,
        multiple=is_multiple(variable),
    )
    kinds: dict[str, Callable[[Field, Mapping[str, Any]], None]] = {
        "FileVar": _file,
        "SecretVar": _secret,
        "DataFileVar": _data_file,
        "TextVar": _area,
        "IntegerVar": _number,
        "DecimalVar": _decimal,
        "DateVar": _date,
        "DateTimeVar": _moment,
        "JSONVar": _json,
        "BooleanVar": _switch,
        "DryRunVar": _dry_run,
        "ChoiceVar": _choice,
        "MultiChoiceVar": _choices,
    }
    if "model" in variable:
        made.kind = "picker"
        made.narrowed_by = made.depends_on = narrowed_by(variable)
        if looks:
            made.picker = picker(variable, values, data, search, fitting=fitting)
    else:
        kinds.get(variable["type"], _line)(made, variable)
    if variable.get("widget"):
        _change_widget(made, str(variable["widget"]))
    return made


def _line(made: Field, variable: Mapping[str, Any]) -> None:
    made.limits = _limits(variable, minlength="min_length", maxlength="max_length")


def _file(made: Field, variable: Mapping[str, Any]) -> None:
    made.kind, made.value = "file", ""
    made.limits = _limits(variable, most="max_bytes")
    made.limits["accept"] = ",".join(variable.get("accept") or ()) or None


def limit_file(made: Field, upload_bytes: int) -> None:
    """Say how large the file may be: what the job takes, and no more than what the portal does."""
    most = min(made.limits.pop("most", upload_bytes), upload_bytes)
    made.limits |= {"data-most-bytes": most, "data-most": in_units(most)}
    made.help = f"{made.help} At most {in_units(most)}.".strip()


def _data_file(made: Field, variable: Mapping[str, Any]) -> None:
    _choice(made, variable)
    if made.kind == "segments":
        made.kind = "select"
        if made.required and not any(option.chosen for option in made.options):
            made.options.insert(0, Option("", "Choose…", True))
    if not any(option.value for option in made.options):
        made.help = f"{made.help} There is no data file yet.".strip()


def _secret(made: Field, variable: Mapping[str, Any]) -> None:
    _line(made, variable)
    made.kind, made.value = "secret", ""
    if not made.help:
        made.help = "Kept encrypted until the run has ended, and never shown."


def _area(made: Field, variable: Mapping[str, Any]) -> None:
    made.kind = "area"
    # The browser counts a line's end as one character, and so do we; but not what was pasted before a limit came.
    made.limits = _limits(variable, minlength="min_length", maxlength="max_length")


def _number(made: Field, variable: Mapping[str, Any]) -> None:
    # An input for numbers empties itself when it is given anything else: what was typed must stay.
    made.kind = "number" if re.fullmatch(r"(-?\d+)?", str(made.value).strip()) else "text"
    made.limits = (
        _limits(variable, min="min_value", max="max_value", step="step") if made.kind == "number" else {}
    )
    if not made.help:
        made.help = _range(variable.get("min_value"), variable.get("max_value"))


def _decimal(made: Field, variable: Mapping[str, Any]) -> None:
    made.kind = "decimal"
    if not made.help:
        made.help = _range(variable.get("min_value"), variable.get("max_value"))


# As with numbers: an input that takes nothing else empties itself, and what was typed must stay.
def _date(made: Field, variable: Mapping[str, Any]) -> None:
    made.kind = "date" if re.fullmatch(r"(\d{4}-\d\d-\d\d)?", str(made.value)) else "text"
    made.limits = _limits(variable, min="min_value", max="max_value") if made.kind == "date" else {}


def _moment(made: Field, variable: Mapping[str, Any]) -> None:
    fits = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)?", str(made.value))
    made.kind = "moment" if fits else "text"
    if fits:
        limits = _limits(variable, min="min_value", max="max_value")
        made.limits = {name: as_moment(str(value)) for name, value in limits.items()}
    made.help = f"{made.help} In UTC.".strip()


def _json(made: Field, _variable: Mapping[str, Any]) -> None:
    made.kind = "json"


def _switch(made: Field, _variable: Mapping[str, Any]) -> None:
    made.kind = "switch"
    made.required = False


def _dry_run(made: Field, variable: Mapping[str, Any]) -> None:
    _switch(made, variable)
    made.dry_run = True


def _choice(made: Field, variable: Mapping[str, Any]) -> None:
    made.options = list(_options(_choices_of(variable, [str(made.value)]), {str(made.value)}))
    grouped = any(option.group for option in made.options)
    length = sum(len(option.label) + 3 for option in made.options)
    few = len(made.options) <= MOST_SEGMENTS and length <= LONGEST_SEGMENTS and not grouped
    made.kind = "segments" if few and made.options else "select"
    has_empty = any(option.value == "" for option in made.options)
    nothing_chosen = not any(option.chosen for option in made.options)
    # A list that cannot be left empty still begins empty when nothing was chosen: else its first entry would be.
    if not has_empty and (not made.required or (made.kind == "select" and nothing_chosen)):
        word = "Choose…" if made.required else "None"
        made.options.insert(0, Option("", word, nothing_chosen))


def _choices(made: Field, variable: Mapping[str, Any]) -> None:
    made.options = list(_options(_choices_of(variable, made.value), set(made.value)))
    made.kind = "checks" if len(made.options) <= MOST_CHECKBOXES else "list"


def _choices_of(variable: Mapping[str, Any], chosen: Sequence[str]) -> Sequence[Any]:
    choices: Sequence[Any] = variable.get("choices") or []
    if choices or "choices" not in variable.get("computed", ()):
        return choices
    # They could not be computed this time: what was chosen before must not be lost for that.
    return [(value, value) for value in chosen if value]


def _options(choices: Iterable[Any], chosen: set[str], group: str = "") -> Iterable[Option]:
    for first, second in choices:
        if isinstance(second, list | tuple):
            yield from _options(second, chosen, str(first))
        else:
            yield Option(str(first), str(second), str(first) in chosen, group)


def _change_widget(made: Field, widget: str) -> None:
    """Show an input as its author wants it, where that can take what the input takes."""
    if widget == "textarea" and made.kind in ("text", "secret"):
        made.kind = "area"
    elif widget == "password" and made.kind == "text":
        made.kind, made.value = "secret", ""
    elif widget == "range" and _can_slide(made):
        made.kind = "slider"
    elif widget == "hidden" and made.kind in HIDEABLE:
        made.kind = "hidden"
    elif widget == "radio" and made.kind == "select":
        made.kind = "radios"
        made.options = [option for option in made.options if option.value or not made.required]
    elif widget == "select" and made.kind == "segments":
        made.kind = "select"
    elif widget in ("checkboxes", "select") and made.kind in ("checks", "list"):
        made.kind = "checks" if widget == "checkboxes" else "list"


def _can_slide(made: Field) -> bool:
    """Tell whether a slider can stand where its value says: it would move what does not fit."""
    if made.kind != "number" or not {"min", "max"} <= made.limits.keys():
        return False
    if not str(made.value).strip():
        return made.required
    steps, rest = divmod(int(str(made.value)) - made.limits["min"], made.limits.get("step", 1))
    return not rest and steps >= 0 and int(str(made.value)) <= made.limits["max"]


def _limits(variable: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {limit: variable[name] for limit, name in names.items() if variable.get(name) is not None}


def _range(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}."
    if least is not None:
        return f"{least} or more."
    return f"Up to {most}." if most is not None else ""


def as_moment(text: str) -> str:
    """Return a moment as an input for one takes it: in UTC, which is not said there."""
    return re.sub(r"(:\d\d)(:00)?(?:\+00:00|Z)$", r"\1", text)
