"""Inputs of a job as an admin writes them, one a line: `variable = value`, a value being text, JSON, or with references."""

import json
from collections.abc import Mapping
from typing import Any

from jobs.kinds import secret_names
from store.models import JobRecord
from webapp.admin_forms import AdminForm
from worker.references import BadReference, Known, check, is_reference

LONGEST_DATA = 20_000


def read_inputs(form: AdminForm, name: str, job: JobRecord, known: Known, *, keeper: str) -> dict[str, Any]:
    """Return the inputs that stand in a text, or in what a program gave as {variable: value}.

    known: what they may refer to. keeper: what would keep them: "a chain".
    """
    given = form.values.get(name)
    long = len(json.dumps(given, ensure_ascii=False)) if isinstance(given, Mapping) else len(form.text(name))
    if long > LONGEST_DATA:
        form.refuse(name, f"Use at most {LONGEST_DATA:,} characters.")
        return {}
    if not isinstance(given, Mapping):
        return _from_lines(form, name, job, known, keeper)
    for variable, value in given.items():
        if problem := _problem(job, variable, value, known, keeper):
            form.refuse(f"{name}.{variable}", problem)
    return dict(given)


def _from_lines(form: AdminForm, name: str, job: JobRecord, known: Known, keeper: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for number, text in enumerate(form.text(name).splitlines(), 1):
        if not text.strip():
            continue
        variable, sign, value = (part.strip() for part in text.partition("="))
        if not sign:
            form.refuse(name, f"Line {number}: write variable = value.")
            continue
        data[variable] = _read(value)
        if problem := _problem(job, variable, data[variable], known, keeper):
            form.refuse(name, f"Line {number}: {problem}")
    return data


def written(data: Mapping[str, Any]) -> str:
    """Return inputs as `read_inputs` takes them."""
    lines = []
    for name, value in data.items():
        plain = isinstance(value, str) and "\n" not in value and _read(value) == value
        lines.append(f"{name} = {value if plain else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)


def _problem(job: JobRecord, name: str, value: Any, known: Known, keeper: str) -> str:
    """Return what is wrong with a value; "" where nothing is."""
    variables = {variable["name"] for variable in job.variables}
    if name not in variables:
        return f"{job.name} has no variable {name}; it has: {', '.join(sorted(variables)) or 'none'}."
    try:
        check(value, known)
    except BadReference as error:
        return str(error)
    discreet = job.has_sensitive_variables or name in secret_names(job.variables)
    if discreet and not is_reference(value):
        return f"{name} may be sensitive, so {keeper} keeps no value for it, only a reference."
    return ""


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
