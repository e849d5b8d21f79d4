"""Bodies of what pages have a form for: its checks, with errors under the keys of the body."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel
from werkzeug.exceptions import NotFound

from store.models import JobRecord
from store.text import clean_text
from webapp.admin_forms import AdminForm
from webapp.api.arguments import storable
from webapp.api.errors import InvalidRequest
from webapp.api.jobs import find_job
from webapp.database import db

#: Of the values that an error lists.
MOST_LISTED = 20

Row = TypeVar("Row")


def _storable(value: Any) -> Any:
    """Raise ValueError for JSON with a text in it that the databases cannot hold."""
    match value:
        case str() if not storable(value):
            raise ValueError("This holds a character that cannot be stored.")
        case dict():
            for name, each in value.items():
                _storable(name)
                _storable(each)
        case list():
            for each in value:
                _storable(each)
    return value


#: {variable: value}, as JSON.
Inputs = Annotated[dict[str, Any], AfterValidator(_storable)]


def given(body: BaseModel, jobs: Iterable[str] = ("job",)) -> dict[str, Any]:
    """Return what a body gives, as a form has it. jobs: keys that name a job."""
    values = body.model_dump(exclude_unset=True)
    for key, value in values.items():
        if isinstance(value, str):
            values[key] = clean_text(value).strip()
    return {**values, **{key: _job_id(values[key]) for key in jobs if key in values}}


def saved(
    form: AdminForm,
    save: Callable[[AdminForm], Row | None],
    *,
    choices: Callable[[], Mapping[str, Iterable[str]]],
    keys: Mapping[str, str] | None = None,
) -> Row:
    """Return what was saved of a form. Raises InvalidRequest.

    choices: {field: what there is to choose}, asked for where something else was given.
    keys: {field: key of the body}, where they are called otherwise.
    """
    row = save(form)
    if row is not None:
        return row
    listed = choices()
    raise InvalidRequest(
        {
            (keys or {}).get(name, name): [_sentence(sentence, listed.get(name))]
            for name, sentence in form.errors.items()
        }
    )


def class_paths(jobs: Mapping[str, JobRecord]) -> list[str]:
    return sorted(job.class_path for job in jobs.values())


def _sentence(sentence: str, choices: Iterable[str] | None) -> str:
    """Say what there is to choose, which a page would show."""
    if choices is None or not sentence.startswith("Choose"):
        return sentence
    there = list(choices)
    if not there:
        return "There is none to choose."
    more = ", ..." if len(there) > MOST_LISTED else ""
    return f"Choose from: {', '.join(there[:MOST_LISTED])}{more}."


def _job_id(reference: str) -> str:
    try:
        return str(find_job(reference, db.session()).id)
    except NotFound:
        return ""
