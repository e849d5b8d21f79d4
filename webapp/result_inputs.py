"""Finding results by their inputs: what is asked for, by the words that forms and pages use, and what can be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from jobs.kinds import secret_names
from jobs.variables import flat_choices
from store.input_terms import InputTerm, fits, read_term
from store.models import JobRecord, JobResult
from store.object_search import SearchRefused, search, text_of
from store.registry import UnknownModel
from webapp.pages import data_session

MOST_TERMS = 5

#: Objects and choices that a text may stand for.
MOST_MEANT = 200

MOST_SUGGESTIONS = 60


def read_terms(given: Iterable[str]) -> tuple[str, ...]:
    """Return the terms as they are written; what makes no sense is left out."""
    terms = dict.fromkeys(str(term) for text in given if (term := read_term(text)))
    return tuple(terms)[:MOST_TERMS]


def conditions(session: Session, terms: Iterable[str], job: JobRecord | None) -> list[ColumnElement[bool]]:
    """Return what holds for the results that fit all the terms.

    job: whose results they are. It says which objects and choices are called so; without it these are found by their keys.
    """
    variables = {variable["name"]: variable for variable in (job.variables if job else [])}
    dialect = session.get_bind().dialect.name
    return [
        fits(JobResult.data, term, dialect, _meant(variables.get(term.name), term))
        for term in map(read_term, terms)
        if term is not None
    ]


def suggestions(job: JobRecord | None) -> list[str]:
    """Return beginnings and whole terms for the inputs of a job that are not sealed."""
    if job is None or job.has_sensitive_variables:
        return []
    secret = secret_names(job.variables)
    open_ones = (variable for variable in job.variables if variable["name"] not in secret)
    return [each for variable in open_ones for each in _suggested(variable)][:MOST_SUGGESTIONS]


def _suggested(variable: Mapping[str, Any]) -> Iterator[str]:
    name = variable["name"]
    if "choices" in variable:
        yield from (f"{name}:{label}" for _, label in flat_choices(variable["choices"]))
    elif variable["type"] == "BooleanVar":
        yield from (f"{name}:yes", f"{name}:no")
    else:
        yield f"{name}:"


def _meant(variable: Mapping[str, Any] | None, term: InputTerm) -> Sequence[str]:
    """Return the keys of the objects, or of the choices, that are called so."""
    if variable is None or term.operator not in (":", "="):
        return ()
    if "model" in variable:
        return _objects(variable["model"], term)
    labelled = flat_choices(variable["choices"]) if "choices" in variable else ()
    return [str(key) for key, label in labelled if _called(str(label), term)][:MOST_MEANT]


def _objects(model: str, term: InputTerm) -> Sequence[str]:
    try:
        with data_session() as data:
            found = search(data, model, term.value, limit=MOST_MEANT, counted=False).objects
            return [str(each.pk) for each in found if term.operator == ":" or _called(text_of(each), term)]
    except (SearchRefused, UnknownModel):
        return ()


def _called(text: str, term: InputTerm) -> bool:
    asked, said = term.value.casefold(), text.casefold()
    return asked == said if term.operator == "=" else asked in said
