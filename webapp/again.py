"""What it means to run a run again, in sentences for whoever is about to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.kinds import file_names, secret_names
from store.models import JobRecord, JobResult, User
from webapp.formats import plural
from worker.again import why_not_again
from worker.submit import reusable


@dataclass(frozen=True, slots=True)
class Again:
    #: The way leads through the form: it cannot be run as it was.
    asks: bool
    words: Sequence[str]


def again_of(result: JobResult, job: JobRecord, user: User | None, runs: int = 0) -> Again:
    """Say what happens when it is run again.

    runs: how many others it has asked for.
    """
    sealed = reusable(result, user)
    missing = changed_since(result, job)
    if why_not_again(result, job, sealed):
        missing = [*_not_kept(result, job), *missing]
    if missing:
        return Again(True, missing)
    words = []
    if sealed is not None:
        words.append("Run again uses what was sealed as it is.")
    if runs:
        words.append(f"Run again asks for all {plural(runs, 'run')} anew.")
    return Again(False, words)


def not_filled_in(result: JobResult, job: JobRecord) -> list[str]:
    """Say which inputs of a run its job's form does not hold, and why."""
    return [*_not_kept(result, job), *changed_since(result, job)]


def changed_since(result: JobResult, job: JobRecord) -> list[str]:
    """Say how the inputs of the job are others than those that the run was given."""
    if result.sensitive or job.has_sensitive_variables:
        return []
    given = {*result.data, *(result.sealed_facts or {})}
    gone = sorted(given - {variable["name"] for variable in job.variables})
    new = [
        variable for variable in job.variables if variable["name"] not in given and _has_to_be_given(variable)
    ]
    words = []
    if gone:
        words.append(f"The job has changed since then: it does not ask for {_all_of(gone)} any more.")
    if new:
        words.append(f"The job has changed since then: it asks for {_all_of(map(_label, new))}, too.")
    return words


def _not_kept(result: JobResult, job: JobRecord) -> list[str]:
    if result.sensitive or job.has_sensitive_variables:
        return ["The inputs of this job may be sensitive and are not shown again: give them anew."]
    by_name = {variable["name"]: variable for variable in job.variables}
    files = [_label(by_name[name]) for name in file_names(job.variables) if result.data.get(name)]
    facts = result.sealed_facts or {}
    secrets = [
        _label(by_name[name]) for name in secret_names(job.variables) if "empty" not in facts.get(name, {})
    ]
    words = []
    if files:
        words.append(f"Files are not kept: choose {_all_of(files)} again.")
    if secrets:
        words.append(f"What is sealed is not shown: type {_all_of(secrets)} again.")
    return words


def _has_to_be_given(variable: Mapping[str, Any]) -> bool:
    # Of what depends on other inputs nobody can say here whether it is asked for.
    depends = variable.get("computed") or "shown_if" in variable
    return bool(variable.get("required")) and variable.get("default") is None and not depends


def _label(variable: Mapping[str, Any]) -> str:
    return str(variable.get("label") or variable["name"])


def _all_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
