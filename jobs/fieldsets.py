"""Groups of inputs under a heading: `Meta.fieldsets`."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import BadJob

LONGEST_HEADING = 100


def grouped(variables: Sequence[Mapping[str, Any]], fieldsets: Any) -> list[dict[str, Any]]:
    """Return the descriptions in the order of the form, each with the heading of its `group`.

    Those that are in no group come first. Raises BadJob.
    """
    by_name = {variable["name"]: dict(variable) for variable in variables}
    headings: dict[str, str] = {}
    for heading, names in map(_pair, fieldsets):
        for name in names:
            if name not in by_name:
                raise BadJob(f"fieldsets names {name!r}, which is no variable of the job.")
            if name in headings:
                raise BadJob(f"fieldsets names {name!r} twice.")
            headings[name] = heading
    alone = [variable for name, variable in by_name.items() if name not in headings]
    return [*alone, *({**by_name[name], "group": heading} for name, heading in headings.items())]


def _pair(fieldset: Any) -> tuple[str, list[str]]:
    try:
        heading, names = fieldset
    except (TypeError, ValueError):
        heading = names = None
    if not isinstance(heading, str) or not isinstance(names, list | tuple):
        raise BadJob("fieldsets must be a list of (heading, names of variables) pairs.")
    if not 0 < len(heading.strip()) <= LONGEST_HEADING:
        raise BadJob(f"A heading in fieldsets has 1 to {LONGEST_HEADING} characters.")
    return heading.strip(), [str(name) for name in names]
