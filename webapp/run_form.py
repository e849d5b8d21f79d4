"""The form that asks for a run: built from the descriptions of a job's variables, never from its code."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from jobs.data import Judged
from jobs.files import Upload, in_units
from jobs.showing import in_order, is_shown, narrowed_by, read_values, sources
from jobs.variables import flat_choices, resolve_params
from store import objects
from store.models import JobRecord
from store.text import clean_text
from webapp.formats import plural
from worker.questions import Questions

#: What inputs are called; a variable may be called anything, `csrf_token` too.
PREFIX = "v-"
SEARCH_PREFIX = "q-"
STATE_PREFIX = "_as-"
FOLLOWED_PREFIX = "_default-"

#: The state of a field that is not asked for.
HIDDEN = "hidden"

#: Kinds that a page never carries on.
KEPT = ("file", "secret")

MOST_SEGMENTS = 4
LONGEST_SEGMENTS = 44
MOST_CHECKBOXES = 8
MOST_OBJECTS = 50
LONGEST_SEARCH = 100

#: Kinds that may be there without being seen.
HIDEABLE = ("text", "number", "decimal", "date", "moment", "area", "json")

#: Kinds that are one input, which its label can name.
SINGLE = ("text", "number", "decimal", "date", "moment", "area", "json", "select", "file", "secret")

#: What an ObjectVar's explicit "none" is sent as.
NULL = "null"

#: One text, or several where a variable takes several.
Text = str | list[str]


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    chosen: bool
    group: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Picker:
    """What is found for one search, after what is chosen."""

    model_label: str
    query: str
    chosen: list[Option]
    found: list[Option]
    more: bool
    problem: str = ""
    #: Something chosen no longer fits what the other inputs say.
    dropped: bool = False

    @property
    def help(self) -> str:
        if self.problem:
            return self.problem
        shown = plural(len(self.found), "match", "matches")
        return f"First {shown}: search to see others." if self.more else shown


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
    #: min, max, minlength, maxlength.
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


@dataclass(slots=True)
class RunForm:
    """Everything the form shows. `errors` are those of no input."""

    fields: list[Field]
    commit: bool
    queue: str
    queues: list[str]
    errors: list[str] = field(default_factory=list)
    queue_errors: list[str] = field(default_factory=list)
    #: Tracebacks of the job's code, for superusers.
    details: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[Field]:
        """The inputs that are asked for among the others."""
        return [field for field in self.fields if field.kind != "hidden" and not field.dry_run]

    @property
    def dry_run(self) -> Field | None:
        """The input that belongs to how the job is run."""
        return next((field for field in self.fields if field.dry_run), None)

    @property
    def sections(self) -> list[tuple[str, list[Field]]]:
        """The headings, each with its fields; those that stand under none come first."""
        sections: dict[str, list[Field]] = {}
        for each in self.fields:
            sections.setdefault(each.group, []).append(each)
        return list(sections.items()) or [("", [])]

    def changed(self, states: Mapping[str, str]) -> list[Field]:
        """Return the fields that look otherwise than those that were shown for `states`."""
        return [
            each
            for each in self.fields
            if each.state != states.get(each.name, each.state)
            # What was typed or chosen in these is on no other page: as long as they are there they stay.
            and not (each.kind in KEPT and HIDDEN not in (each.state, states[each.name]))
        ]

    @property
    def has_files(self) -> bool:
        return any(field.kind == "file" for field in self.fields)

    @property
    def wrong(self) -> list[Field]:
        return [field for field in self.fields if field.errors]

    @property
    def error_count(self) -> int:
        return len(self.wrong) + len(self.errors) + bool(self.queue_errors)


# --- What the inputs hold -------------------------------------------------------------------------------------


def from_data(job: JobRecord, data: Mapping[str, Any]) -> dict[str, Text]:
    """Return what the inputs held for an earlier run; what it was not asked for keeps its default."""
    hidden: set[str] = set()
    values = {}
    for variable in in_order(job.variables):
        if not is_shown(variable, data, hidden):
            hidden.add(variable["name"])
        elif variable["name"] in data:
            values[variable["name"]] = _as_text(variable, data[variable["name"]], null=NULL)
    return values


def preset_query(job: JobRecord, name: str) -> list[tuple[str, str]]:
    """Return the arguments of an address that fills in a preset."""
    by_name = {variable["name"]: variable for variable in job.variables}
    query = []
    for variable, value in job.presets[name].items():
        text = _as_text(by_name[variable], value) if variable in by_name else ""
        query += [(variable, each) for each in (text if isinstance(text, list) else [text])]
    return query


def from_query(job: JobRecord, arguments: MultiDict[str, str]) -> dict[str, Text]:
    """Return what an address fills in: `?site_name=x`, as links of the field have it."""
    return {
        variable["name"]: _given(variable, arguments.getlist(variable["name"]))
        for variable in job.variables
        # A secret in an address stands in every log on its way.
        if variable["name"] in arguments and variable["type"] not in ("SecretVar", "FileVar")
    }


def from_inputs(job: JobRecord, form: MultiDict[str, str]) -> dict[str, Text]:
    """Return what the reader typed and chose; a box that is not ticked is there as empty.

    What still holds the default that was there for other inputs is left out.
    """
    given = {
        variable["name"]: _given(variable, form.getlist(PREFIX + variable["name"]))
        for variable in job.variables
    }
    return {name: text for name, text in given.items() if form.get(FOLLOWED_PREFIX + name) != _followed(text)}


def states(job: JobRecord, form: MultiDict[str, str]) -> dict[str, str]:
    """Return what the fields that react to others were shown for."""
    names = [variable["name"] for variable in job.variables]
    return {name: form[STATE_PREFIX + name] for name in names if STATE_PREFIX + name in form}


def _followed(text: Text) -> str:
    # Browsers end lines their own way.
    return json.dumps(text, ensure_ascii=False).replace("\\r\\n", "\\n")


def raw(
    job: JobRecord, form: MultiDict[str, str], files: Iterable[tuple[str, Sequence[Upload]]] = ()
) -> dict[str, Any]:
    """Return what a form sent, as `worker.submit` takes it: nothing is judged here."""
    multiple = {variable["name"] for variable in job.variables if _is_multiple(variable)}
    values: dict[str, Any] = {}
    for name, given in form.lists():
        if name.startswith(PREFIX):
            variable = name.removeprefix(PREFIX)
            # Several values for one that takes a single one are a list, and so refused, not chosen from.
            values[variable] = given[0] if len(given) == 1 and variable not in multiple else given
    for name, uploads in files:
        # An input for a file in which none was chosen comes as a file without a name.
        chosen = [upload for upload in uploads if upload.name]
        if name.startswith(PREFIX) and chosen:
            values[name.removeprefix(PREFIX)] = chosen[0] if len(chosen) == 1 else chosen
    return values


def truth(text: str | None) -> bool | None:
    """Return what `_commit` says; None when it says nothing."""
    if text is None or not text.strip():
        return None
    return text.strip().lower() in ("true", "1", "on", "yes")


def _given(variable: Mapping[str, Any], values: list[str]) -> Text:
    cleaned = [clean_text(value) for value in values]
    if _is_multiple(variable):
        return [value for value in cleaned if value]
    if variable["type"] in ("BooleanVar", "DryRunVar"):
        return "true" if truth(cleaned[-1] if cleaned else None) else ""
    return cleaned[0] if cleaned else ""


def _as_text(variable: Mapping[str, Any], value: Any, null: str = "") -> Text:
    if _is_multiple(variable):
        items = value if isinstance(value, list | tuple) else [] if value in (None, "") else [value]
        return [str(item) for item in items if item is not None]
    if value is None:
        return null if variable.get("null_option") else ""
    if variable["type"] == "JSONVar":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if variable["type"] == "DateTimeVar":
        return as_moment(str(value))
    if isinstance(value, bool):
        return "true" if value else ""
    return str(value)


def as_moment(text: str) -> str:
    """Return a moment as an input for one takes it: in UTC, which is not said there."""
    return re.sub(r"(:\d\d)(:00)?(?:\+00:00|Z)$", r"\1", text)


def _is_multiple(variable: Mapping[str, Any]) -> bool:
    return str(variable["type"]).startswith("Multi")


# --- The fields -----------------------------------------------------------------------------------------------


def build(
    job: JobRecord,
    values: Mapping[str, Text],
    data: Session,
    *,
    questions: Questions,
    commit: bool | None = None,
    queue: str | None = None,
    searches: Mapping[str, str] | None = None,
    errors: Mapping[str, Sequence[str]] | Sequence[str] = (),
    given_anew: Iterable[str] = (),
    upload_bytes: int = 0,
    shown: Mapping[str, str] | None = None,
) -> RunForm:
    """Make the form with `values` in its inputs; those that have none there hold their default.

    questions: asked for what the job computes.
    searches: what is typed into the pickers' search, by variable.
    errors: as InvalidData has them.
    given_anew: the files and secrets that were given; a form does not carry them on.
    upload_bytes: the largest file that is taken.
    shown: the states of the fields that the reader sees: what no longer fits is dropped from those that change.
    """
    by_name = errors if isinstance(errors, Mapping) else {}
    # When an input has changed, nobody asks again for what does not depend on any.
    of_interest = None if shown is None else _of_interest(job.variables)
    values, judged = _judged(job, values, data, questions, of_interest)
    fields = _fields(job, values, data, judged, searches or {}, shown)
    names = {field.name for field in fields}
    for each in fields:
        each.errors = list(by_name.get(each.name, ()))
        problems = questions.problems.get(each.name, ())
        each.problems = [problem for problem in problems if problem not in each.errors]
        if each.name in given_anew and not each.value and not each.errors:
            each.problems.append("Choose the file again." if each.kind == "file" else "Type it again.")
        if each.kind == "file":
            _limit_file(each, upload_bytes)
    loose = [
        f"{name}: {' '.join(sentences)}"
        for name, sentences in by_name.items()
        if name not in names | {"_queue"}
    ]
    return RunForm(
        fields=fields,
        commit=not job.read_only and (job.commit_default if commit is None else commit),
        queue=queue or job.allowed_queues[0],
        queues=job.allowed_queues,
        errors=loose if isinstance(errors, Mapping) else list(errors),
        queue_errors=list(by_name.get("_queue", ())),
        details=questions.details,
    )


def _judged(
    job: JobRecord,
    values: Mapping[str, Text],
    data: Session,
    questions: Questions,
    of_interest: Collection[str] | None,
) -> tuple[Mapping[str, Text], Judged]:
    """Judge what the inputs hold; without the choices that there are no more, now that others have changed."""
    untouched = {variable["name"] for variable in job.variables} - values.keys()
    lookup = objects.ObjectLookup(data)
    while True:
        judged = questions.judged(values, lookup, form=True, untouched=untouched, of_interest=of_interest)
        gone = {
            name: fitting
            for name, variable in judged.described.items()
            if name in values and name not in questions.problems and variable.get("depends_on")
            if (fitting := _still_there(variable, values[name])) != values[name]
        }
        if not gone:
            return values, judged
        values = {**values, **gone}


def _still_there(variable: Mapping[str, Any], text: Text) -> Text:
    if "choices" not in variable:
        return text
    known = {str(value) for value, _ in flat_choices(variable["choices"])}
    if isinstance(text, list):
        return [each for each in text if each in known]
    return text if text in known else ""


def _fields(
    job: JobRecord,
    values: Mapping[str, Text],
    data: Session,
    judged: Judged,
    searches: Mapping[str, str],
    seen: Mapping[str, str] | None,
) -> list[Field]:
    described = [judged.described.get(variable["name"], variable) for variable in job.variables]
    held = {
        variable["name"]: values.get(variable["name"], _as_text(variable, variable.get("default")))
        for variable in described
    }
    # What is not asked for narrows nothing.
    narrowing = {name: text for name, text in held.items() if name not in judged.hidden}
    reacting = _reacting(job.variables)
    fields = []
    for variable in described:
        name = variable["name"]
        hidden = name in judged.hidden
        state = _state(variable, judged, narrowing) if name in reacting else ""
        holding = held if hidden else narrowing
        fitting = seen is not None and seen.get(name, state) != state
        made = build_field(variable, holding, data, searches.get(name, ""), fitting=fitting, looks=not hidden)
        made.depends_on = [] if name in reacting else made.narrowed_by
        made.group, made.hidden, made.state = variable.get("group", ""), hidden, state
        made.is_source = any(name in _sources(each, reacting) for each in job.variables)
        if name in reacting and name not in values and "default" in variable.get("computed", ()):
            made.followed = _followed(held[name])
        fields.append(made)
    return fields


def _reacting(variables: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the variables whose field depends on what others hold."""
    found = {variable["name"] for variable in variables if sources(variable)}
    # A picker that one of these narrows goes along with it: what is swapped can tell nobody of its changes.
    while more := {
        variable["name"]
        for variable in variables
        if variable["name"] not in found and found.intersection(narrowed_by(variable))
    }:
        found |= more
    return found


def _of_interest(variables: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the variables that react, and those they react to."""
    reacting = _reacting(variables)
    return reacting | {name for variable in variables for name in _sources(variable, reacting)}


def _sources(variable: Mapping[str, Any], reacting: Iterable[str]) -> list[str]:
    if variable["name"] not in reacting:
        return []
    return [*sources(variable), *narrowed_by(variable)]


def _state(variable: Mapping[str, Any], judged: Judged, held: Mapping[str, Text]) -> str:
    """Return what a field is shown for: the same text as long as it need not be drawn anew."""
    if variable["name"] in judged.hidden:
        return HIDDEN
    narrowing = {name: held.get(name) for name in narrowed_by(variable)}
    shown_for = json.dumps([read_values(variable, judged.data), narrowing], sort_keys=True, default=str)
    return hashlib.sha256(shown_for.encode()).hexdigest()[:12]


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
        multiple=_is_multiple(variable),
    )
    kinds: dict[str, Callable[[Field, Mapping[str, Any]], None]] = {
        "FileVar": _file,
        "SecretVar": _secret,
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
            made.picker = _picker(variable, values, data, search, fitting=fitting)
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


def _limit_file(made: Field, upload_bytes: int) -> None:
    most = min(made.limits.pop("most", upload_bytes), upload_bytes)
    made.limits |= {"data-most-bytes": most, "data-most": in_units(most)}
    made.help = f"{made.help} At most {in_units(most)}.".strip()


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
    made.kind = "number" if re.fullmatch(r"\s*(-?\d+)?\s*", str(made.value)) else "text"
    made.limits = _limits(variable, min="min_value", max="max_value") if made.kind == "number" else {}
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
    elif widget == "hidden" and made.kind in HIDEABLE:
        made.kind = "hidden"
    elif widget == "radio" and made.kind == "select":
        made.kind = "radios"
        made.options = [option for option in made.options if option.value or not made.required]
    elif widget == "select" and made.kind == "segments":
        made.kind = "select"
    elif widget in ("checkboxes", "select") and made.kind in ("checks", "list"):
        made.kind = "checks" if widget == "checkboxes" else "list"


def _limits(variable: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {limit: variable[name] for limit, name in names.items() if variable.get(name) is not None}


def _range(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}."
    if least is not None:
        return f"{least} or more."
    return f"Up to {most}." if most is not None else ""


# --- Pickers of objects ---------------------------------------------------------------------------------------


def _picker(
    variable: Mapping[str, Any], values: Mapping[str, Text], data: Session, search: str, *, fitting: bool
) -> Picker:
    search = clean_text(search).strip()[:LONGEST_SEARCH]
    value = values.get(variable["name"], "")
    wanted = [value] if isinstance(value, str) else value
    try:
        info = objects.model_info(variable["model"])
    except objects.UnknownModel:
        problem = f"There are no objects of the kind {variable['model']}: its plugin is not installed."
        return Picker(variable["model"], search, [], [], False, problem)
    params = resolve_params(variable.get("query_params") or {}, values)
    chosen = [option for pk in wanted if (option := _chosen(variable, data, pk, params if fitting else {}))]
    try:
        page = objects.search(data, variable["model"], q=search, params=params, limit=MOST_OBJECTS)
    except objects.SearchRefused as error:
        return Picker(info.label_plural, search, chosen, [], False, str(error))
    taken = {option.value for option in chosen}
    found = [_option(variable, instance, False) for instance in page.objects if str(instance.pk) not in taken]
    return Picker(
        info.label_plural,
        search,
        chosen,
        _extra(variable, taken) + found,
        page.next is not None,
        dropped=fitting and len(chosen) < len([pk for pk in wanted if pk]),
    )


def _chosen(variable: Mapping[str, Any], data: Session, pk: str, params: Mapping[str, Any]) -> Option | None:
    """Return what is chosen, as far as it exists and fits `params`."""
    if pk == NULL and variable.get("null_option"):
        return Option(NULL, str(variable["null_option"]), True)
    if not pk:
        return None
    lookup = objects.ObjectLookup(data)
    try:
        key = lookup.find(variable["model"], pk, params)
        return _option(variable, lookup.load(variable["model"], key), True)
    except objects.LookupFailed:
        return None


def _extra(variable: Mapping[str, Any], taken: set[str]) -> list[Option]:
    """Return the ways to choose no object."""
    extra = []
    if variable.get("null_option") and NULL not in taken:
        extra.append(Option(NULL, str(variable["null_option"]), False))
    if not _is_multiple(variable) and not variable.get("required"):
        extra.append(Option("", "None", not taken))
    return extra


def _option(variable: Mapping[str, Any], instance: Any, chosen: bool) -> Option:
    text = objects.text_of(instance, variable.get("display_field") or "display")
    return Option(str(instance.pk), text, chosen)
