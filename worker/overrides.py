"""What an admin may say of a job in place of its code: the record's columns hold what counts, whoever said it."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from jobs.describe import LONGEST_GROUPING, LONGEST_NAME, MOST_KEEP_DAYS
from jobs.errors import InvalidData
from store.audit import note
from store.models import JobRecord
from store.sealing import current_key
from store.text import clean_text

#: No limit of time is longer: seconds in ten years.
LONGEST_SECONDS = 10 * 365 * 24 * 3600.0
LONGEST_DESCRIPTION = 20_000
LONGEST_QUEUE = 100

CHANGED_MEANWHILE = "Somebody else has changed these settings meanwhile. Look at them again, then save yours."
MOST_QUEUES = 50


class ChangedMeanwhile(InvalidData):
    """What the caller knew of a job is not what its settings are now."""


#: Of NB-90: without a key its inputs would have to lie about in a form that the web server can read.
UNSEALED = (
    "A job whose inputs are sensitive can only wait for an approval where the workers have a key: "
    "`./errand keys rotate` makes one."
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One fact of a job that can be overridden."""

    name: str
    label: str
    kind: Literal["line", "text", "switch", "seconds", "days", "names"]
    help: str = ""


SETTINGS = (
    Setting("name", "Name", "line"),
    Setting("grouping", "Group", "line"),
    Setting("description", "Description", "text", "Markdown."),
    Setting("hidden", "Hidden", "switch", "Left out of lists, unless they are asked for it."),
    Setting("approval_required", "Approval", "switch", "A run waits until somebody has approved it."),
    Setting(
        "approval_expires",
        "Time to approve",
        "seconds",
        "Seconds until a request that nobody decided on is over; 0 is the portal’s default, seven days.",
    ),
    Setting(
        "commit_default", "Commit", "switch", "A run saves its changes, unless it is asked for as a dry run."
    ),
    Setting("read_only", "Read only", "switch", "No run ever saves a change."),
    Setting(
        "has_sensitive_variables",
        "Sensitive inputs",
        "switch",
        "Inputs are sealed: nobody can read them but the job.",
    ),
    Setting(
        "soft_time_limit",
        "Time limit",
        "seconds",
        "Seconds until a run is told to end; 0 is the portal’s default.",
    ),
    Setting(
        "time_limit", "Hard time limit", "seconds", "Seconds until a run is ended; 0 is the portal’s default."
    ),
    Setting(
        "keep_days",
        "Keep results",
        "days",
        "Days until results that completed, or were canceled or denied, are removed; 0 is the portal’s default.",
    ),
    Setting(
        "keep_failed_days",
        "Keep failed results",
        "days",
        "The same for results that failed or errored; 0 is the portal’s default.",
    ),
    Setting("queues", "Queues", "names", "The first is the default; none stands for `default`."),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def take_from_code(record: JobRecord, facts: Mapping[str, Any]) -> None:
    """Bring a record up to what its code says, but for what was overridden."""
    record.code_facts = {name: facts[name] for name in _BY_NAME}
    _apply(record)


def version_of(record: JobRecord) -> str:
    """Return what changes when somebody overrides something else."""
    said = json.dumps([record.overrides or {}, record.code_facts or {}], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def override(
    db: Session,
    record: JobRecord,
    overrides: Mapping[str, Any],
    *,
    version: str | None = None,
    still_allowed: Callable[[JobRecord], bool] = lambda _: True,
    commit: bool = True,
) -> None:
    """Have these facts count in place of the code's, and the code's for all others. Commits `db` if `commit` is set.

    overrides: {name of a setting: value, as its kind has it}. version: of what the caller knew (see `version_of`).
    still_allowed: asked about the record as it would be: nobody moves a job out of, or into, what permissions give them.
    Raises InvalidData, {name: [sentence]}, or a list of sentences; ChangedMeanwhile.
    """
    db.refresh(record, with_for_update=True)
    if version is not None and version != version_of(record):
        raise ChangedMeanwhile([CHANGED_MEANWHILE])
    errors: dict[str, list[str]] = {}
    checked: dict[str, Any] = {}
    for name, value in overrides.items():
        try:
            checked[name] = _checked(_BY_NAME[name], value)
        except KeyError:
            errors[name] = ["There is no such setting."]
        except ValueError as error:
            errors[name] = [str(error)]
    sensitive, approved = (
        checked.get(name, _code_fact(record, name))
        for name in ("has_sensitive_variables", "approval_required")
    )
    if not errors and sensitive and approved and current_key(db) is None:
        last = "approval_required" if "approval_required" in checked else "has_sensitive_variables"
        errors[last] = [UNSEALED]
    if errors:
        raise InvalidData(errors)
    if not record.code_facts:
        # It was never refreshed since there are overrides: what it has is the code's.
        record.code_facts = {name: getattr(record, name) for name in _BY_NAME}
    note(db, "job.settings", record.class_path, before=record.overrides or {}, after=checked)
    record.overrides = checked
    _apply(record)
    if not still_allowed(record):
        db.rollback()
        raise InvalidData(["With that you could not change this job any more: somebody else has to."])
    if commit:
        db.commit()


def _apply(record: JobRecord) -> None:
    for name in _BY_NAME:
        setattr(record, name, (record.overrides or {}).get(name, _code_fact(record, name)))
    if record.read_only:
        record.commit_default = False


def _code_fact(record: JobRecord, name: str) -> Any:
    return (record.code_facts or {}).get(name, getattr(record, name))


def _checked(setting: Setting, value: Any) -> Any:
    if setting.kind == "switch":
        if not isinstance(value, bool):
            raise ValueError("Enter true or false.")
        return value
    if setting.kind == "seconds":
        return _seconds(value)
    if setting.kind == "days":
        return checked_days(value)
    if setting.kind == "names":
        return _names(value)
    if not isinstance(value, str):
        raise ValueError("Enter text.")
    text = clean_text(value).strip()
    if setting.kind == "line" and not text.isprintable():
        raise ValueError("Use one line.")
    most = {"name": LONGEST_NAME, "grouping": LONGEST_GROUPING}.get(setting.name, LONGEST_DESCRIPTION)
    if not text and setting.name != "description":
        raise ValueError("This field is required.")
    if len(text) > most:
        raise ValueError(f"Ensure this value has at most {most:,} characters (it has {len(text):,}).")
    return text


def _seconds(value: Any) -> float:
    try:
        seconds = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError("Enter a number of seconds, or 0.")
    return seconds


def checked_days(value: Any) -> int:
    """Return a number of days. Raises ValueError, with a sentence."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    text = str(value).strip() if whole or isinstance(value, str) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) <= MOST_KEEP_DAYS):
        raise ValueError(f"Enter a whole number of days, at most {MOST_KEEP_DAYS:,}, or 0.")
    return int(text)


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("Enter a list of names.")
    names = list(dict.fromkeys(each.strip() for each in value if each.strip()))
    if len(names) > MOST_QUEUES or any(len(name) > LONGEST_QUEUE or not name.isprintable() for name in names):
        raise ValueError(f"Name at most {MOST_QUEUES} queues, each with at most {LONGEST_QUEUE} characters.")
    return names
