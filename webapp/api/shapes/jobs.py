"""Jobs, their variables, and what they keep."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from store.models import JobRecord
from webapp.api.shapes import moment, text_id, time
from webapp.api.shapes.places import LoadErrorShape, load_error
from webapp.job_history import JobHistory
from worker.kept_values import Kept
from worker.overrides import version_of
from worker.refresh import RefreshReport


class VariableShape(TypedDict):
    """A variable. `computed` names what its job's code computes; `problems` says why it could not."""

    name: str
    type: str
    #: Of a kind that a plugin brings: its name.
    kind: NotRequired[str]
    label: str | None
    description: str
    required: bool
    default: Any
    min_length: NotRequired[int | None]
    max_length: NotRequired[int | None]
    regex: NotRequired[str | None]
    min_value: NotRequired[float | None]
    max_value: NotRequired[float | None]
    step: NotRequired[int | None]
    #: Text that is no JSON stands for a list of that text.
    listed: NotRequired[bool]
    #: Numbers and truth values stay what they are.
    keeps_numbers: NotRequired[bool]
    #: What a command can be given, in UTF-8.
    most_bytes: NotRequired[int]
    #: Where it stands among positional arguments: a number from 0, "all", or "rest".
    place: NotRequired[int | str]
    decimal_places: NotRequired[int | None]
    min_prefix_length: NotRequired[int | None]
    max_prefix_length: NotRequired[int | None]
    version: NotRequired[int | None]
    choices: NotRequired[Any]
    model: NotRequired[str]
    display_field: NotRequired[str | None]
    query_params: NotRequired[Any]
    null_option: NotRequired[str | None]
    max_bytes: NotRequired[int | None]
    accept: NotRequired[list[str]]
    widget: NotRequired[Any]
    computed: NotRequired[list[str]]
    shown_if: NotRequired[Any]
    depends_on: NotRequired[list[str]]
    group: NotRequired[str]
    problems: NotRequired[list[str]]


_OWN = ("name", "type", "kind", "label", "description", "required", "default", "problems")

#: What a variable's description may say besides what every variable has.
VARIABLE_OPTIONS = tuple(name for name in VariableShape.__annotations__ if name not in _OWN)


class JobShape(TypedDict):
    """A job."""

    id: str
    class_path: str
    url: str
    source: str
    name: str
    grouping: str
    description: str
    installed: bool
    enabled: bool
    hidden: bool
    read_only: bool
    commit_default: bool
    dialect: str
    approval_required: bool
    #: Its author keeps it for those to whom a permission gives it.
    restricted: bool
    approval_expires: float
    has_plan: bool
    #: At most so many runs with the same values of the variables named in the key at once; 0: no limit.
    concurrency_limit: int
    concurrency_key: list[str]
    #: What becomes of one more: "wait", "skip", "replace" or "singleton".
    concurrency_policy: str
    #: Who asks for it with the inputs of a run that still waits has asked for that one.
    dedupe: bool
    #: Seconds that a run waits at least.
    delay: float
    has_sensitive_variables: bool
    soft_time_limit: float
    time_limit: float
    #: Days that results are kept, and those that failed or errored; 0: as the portal does.
    keep_days: int
    keep_failed_days: int
    queues: list[str]
    variables: list[VariableShape]
    presets: dict[str, Any]
    #: What an administrator says in place of its code, by the name of the setting.
    overrides: dict[str, Any]
    #: Of its settings: changes when somebody overrides something else.
    version: str
    code_digest: str
    code_commit: str | None
    refreshed_at: str


class JobReferenceShape(TypedDict):
    """Which job it is."""

    id: str
    class_path: str
    name: str


class RefreshShape(TypedDict):
    """What a look at all folders and plugins has found."""

    #: How many jobs there are.
    jobs: int
    #: Class paths of those seen for the first time, and of those that are not there any more.
    new: list[str]
    gone: list[str]
    errors: list[LoadErrorShape]
    #: Sentences about whole sources and about templates of forms.
    notes: list[str]


class KeptShape(TypedDict):
    """A value that a job keeps between its runs."""

    key: str
    #: Only its key is shown.
    hidden: bool
    value: Any
    size: int | None
    updated_at: str | None
    result: str | None


class EndedShape(TypedDict):
    """A run that has ended. `outcome` is its status, or "warnings"; `seconds` is null for what never ran."""

    id: str
    outcome: str
    created_at: str
    seconds: float | None


class DayShape(TypedDict):
    """A day in UTC: how many runs ended in what, and of the completed ones the seconds they took."""

    day: str
    counts: dict[str, int]
    median_seconds: float | None
    p95_seconds: float | None


class HistoryShape(TypedDict):
    """How a job did. `cut` says that only the newest of the runs were looked at."""

    since: str | None
    cut: bool
    counts: dict[str, int]
    median_seconds: float | None
    p95_seconds: float | None
    days: list[DayShape]
    #: The latest first.
    results: list[EndedShape]


def job(
    record: JobRecord,
    variables: Sequence[Mapping[str, Any]] | None = None,
    problems: Mapping[str, list[str]] | None = None,
) -> JobShape:
    """variables: with what its code computes of them; in a list that would take long."""
    described = record.variables if variables is None else variables
    return {
        "id": str(record.id),
        "class_path": record.class_path,
        "url": f"/jobs/{record.class_path}/",
        "source": record.source,
        "name": record.name,
        "grouping": record.grouping,
        "description": record.description,
        "installed": record.installed,
        "enabled": record.enabled,
        "hidden": record.hidden,
        "read_only": record.read_only,
        "commit_default": record.commit_default,
        "dialect": record.dialect,
        "approval_required": record.approval_required,
        "restricted": record.restricted,
        "approval_expires": record.approval_expires,
        "has_plan": record.has_plan,
        "concurrency_limit": record.concurrency_limit,
        "concurrency_key": record.concurrency_key,
        "concurrency_policy": record.concurrency_policy,
        "dedupe": record.dedupe,
        "delay": record.delay,
        "has_sensitive_variables": record.has_sensitive_variables,
        "soft_time_limit": record.soft_time_limit,
        "time_limit": record.effective_time_limit,
        "keep_days": record.keep_days,
        "keep_failed_days": record.keep_failed_days,
        "queues": record.allowed_queues,
        "variables": [variable(each, (problems or {}).get(each["name"])) for each in described],
        "presets": record.presets,
        "overrides": record.overrides or {},
        "version": version_of(record),
        "code_digest": record.code_digest,
        "code_commit": record.code_commit or None,
        "refreshed_at": moment(record.refreshed_at),
    }


def reference(record: JobRecord) -> JobReferenceShape:
    return {"id": str(record.id), "class_path": record.class_path, "name": record.name}


def refreshed(report: RefreshReport) -> RefreshShape:
    return {
        "jobs": report.jobs,
        "new": report.new,
        "gone": report.gone,
        "errors": [load_error(row) for row in report.errors],
        "notes": report.notes,
    }


def variable(description: Mapping[str, Any], problems: list[str] | None = None) -> VariableShape:
    shape: VariableShape = {
        "name": description["name"],
        "type": description["type"],
        "label": description.get("label"),
        "description": description.get("description", ""),
        "required": description.get("required", True),
        "default": description.get("default"),
    }
    more: Any = {
        **({"kind": description["kind"]} if "kind" in description else {}),
        **{option: description[option] for option in VARIABLE_OPTIONS if option in description},
        **({"problems": problems} if problems else {}),
    }
    shape.update(more)
    return shape


def kept(row: Kept, *, hidden: bool) -> KeptShape:
    return {
        "key": row.key,
        "hidden": hidden,
        "value": None if hidden else row.value,
        "size": None if hidden else row.size_bytes,
        "updated_at": time(row.updated_at),
        "result": text_id(row.result_id),
    }


def history(found: JobHistory) -> HistoryShape:
    return {
        "since": time(found.since),
        "cut": found.cut,
        "counts": dict(found.counts),
        "median_seconds": _rounded(found.times.median),
        "p95_seconds": _rounded(found.times.p95),
        "days": [
            {
                "day": each.day.isoformat(),
                "counts": dict(each.counts),
                "median_seconds": _rounded(each.times.median),
                "p95_seconds": _rounded(each.times.p95),
            }
            for each in found.days
        ],
        "results": [
            {
                "id": str(run.id),
                "outcome": run.outcome,
                "created_at": moment(run.created_at),
                "seconds": _rounded(run.seconds),
            }
            for run in reversed(found.runs)
        ],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
