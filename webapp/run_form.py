"""The form that asks for a run: built from the descriptions of a job's variables, never from its code."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from jobs.data import Judged
from jobs.files import Upload
from jobs.showing import in_order, is_shown, narrowed_by, read_values, sources
from jobs.variables import flat_choices
from store import objects
from store.models import JobRecord
from store.text import clean_text
from webapp.fields import PREFIX, Field, as_moment, build_field, limit_file
from webapp.pickers import NULL, Text, is_multiple
from worker.questions import Questions
from worker.run_options import NO_OPTIONS, OPTIONS, RunOptions

STATE_PREFIX = "_as-"
FOLLOWED_PREFIX = "_default-"

#: The state of a field that is not asked for.
HIDDEN = "hidden"

#: What the form says of each option of a run.
_OPTION_WORDS = {
    "profile": ("Profile", "Keep with the result where the run spends its time."),
    "ignore_singleton_lock": (
        "Ignore singleton lock",
        "Begin even while another run of this job is going on.",
    ),
}

#: Kinds that a page never carries on.
KEPT = ("file", "secret")


@dataclass(slots=True)
class RunOption:
    """Something that may be asked for this run alone (see worker.run_options), as a switch."""

    name: str
    label: str
    help: str
    chosen: bool
    errors: list[str]

    @property
    def input(self) -> str:
        return f"_{self.name}"


@dataclass(slots=True)
class RunForm:
    """Everything the form shows. `errors` are those of no input."""

    fields: list[Field]
    commit: bool
    queue: str
    queues: list[str]
    options: list[RunOption]
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
            if not each.dry_run:
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
    def wrong_options(self) -> list[RunOption]:
        return [option for option in self.options if option.errors]

    @property
    def error_count(self) -> int:
        return len(self.wrong) + len(self.wrong_options) + len(self.errors) + bool(self.queue_errors)


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
    return {
        name: text for name, text in given.items() if form.get(FOLLOWED_PREFIX + name) != followed_text(text)
    }


def states(job: JobRecord, form: MultiDict[str, str]) -> dict[str, str]:
    """Return what the fields that react to others were shown for."""
    names = [variable["name"] for variable in job.variables]
    return {name: form[STATE_PREFIX + name] for name in names if STATE_PREFIX + name in form}


def followed_text(text: Text) -> str:
    """Return how a default is written down that follows other inputs as long as nobody types over it."""
    # Browsers end lines their own way.
    return json.dumps(text, ensure_ascii=False).replace("\\r\\n", "\\n")


def raw(
    job: JobRecord, form: MultiDict[str, str], files: Iterable[tuple[str, Sequence[Upload]]] = ()
) -> dict[str, Any]:
    """Return what a form sent, as `worker.submit` takes it: nothing is judged here."""
    multiple = {variable["name"] for variable in job.variables if is_multiple(variable)}
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


def commit_asked(inputs: MultiDict[str, str]) -> bool | None:
    """Return whether a form wants changes to be saved; None when it does not say."""
    # The button "Dry run first" comes after the choice, and has the last word.
    said = inputs.getlist("_commit")
    return truth(said[-1] if said else None)


def options(form: MultiDict[str, str]) -> RunOptions:
    """Return what is asked for this run alone."""
    return RunOptions(**{name: bool(truth(form.get(f"_{name}"))) for name in OPTIONS})


def _given(variable: Mapping[str, Any], values: list[str]) -> Text:
    cleaned = [clean_text(value) for value in values]
    if is_multiple(variable):
        return [value for value in cleaned if value]
    if variable["type"] in ("BooleanVar", "DryRunVar"):
        return "true" if truth(cleaned[-1] if cleaned else None) else ""
    return cleaned[0] if cleaned else ""


def _as_text(variable: Mapping[str, Any], value: Any, null: str = "") -> Text:
    if is_multiple(variable):
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


# --- The fields -----------------------------------------------------------------------------------------------


def build(
    job: JobRecord,
    values: Mapping[str, Text],
    data: Session,
    *,
    questions: Questions,
    commit: bool | None = None,
    queue: str | None = None,
    options: RunOptions = NO_OPTIONS,
    debug: bool = False,
    searches: Mapping[str, str] | None = None,
    errors: Mapping[str, Sequence[str]] | Sequence[str] = (),
    given_anew: Iterable[str] = (),
    upload_bytes: int = 0,
    shown: Mapping[str, str] | None = None,
) -> RunForm:
    """Make the form with `values` in its inputs; those that have none there hold their default.

    questions: asked for what the job computes.
    debug: offer what only those who write jobs want.
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
            limit_file(each, upload_bytes)
    offered = _options(job, options, by_name, debug=debug)
    names |= {"_queue", *(option.input for option in offered)}
    loose = [f"{name}: {' '.join(sentences)}" for name, sentences in by_name.items() if name not in names]
    return RunForm(
        fields=fields,
        commit=not job.read_only and (job.commit_default if commit is None else commit),
        queue=queue or job.allowed_queues[0],
        queues=job.allowed_queues,
        options=offered,
        errors=loose if isinstance(errors, Mapping) else list(errors),
        queue_errors=list(by_name.get("_queue", ())),
        details=questions.details,
    )


def _options(
    job: JobRecord, asked: RunOptions, errors: Mapping[str, Sequence[str]], *, debug: bool
) -> list[RunOption]:
    offered = {"profile": debug, "ignore_singleton_lock": job.is_singleton}
    return [
        RunOption(name, *_OPTION_WORDS[name], getattr(asked, name), list(errors.get(f"_{name}", ())))
        for name in OPTIONS
        if offered[name]
    ]


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
            made.followed = followed_text(held[name])
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
