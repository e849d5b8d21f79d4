"""All kinds of variables and all facts of `Meta`."""

from jobs.job import BaseJob, Job
from jobs.kinds import KINDS
from jobs.variables import Variable
from webapp.cli.reference.tables import arguments, first_line, table

#: What every variable takes: said once.
COMMON = tuple(arguments(Variable))


def text() -> str:
    return "\n".join([_kinds(), _common(), _meta()])


def _kinds() -> str:
    common = [argument.partition("=")[0] for argument in COMMON]
    rows = (
        (f"`{name}`", first_line(kind), ", ".join(f"`{word}`" for word in arguments(kind, without=common)))
        for name, kind in KINDS.items()
        if kind.__module__.startswith("jobs.")  # Whoever installed plugins has more.
    )
    return "## Kinds of variables\n\n" + table(("kind", "is", "its own options"), rows)


def _common() -> str:
    words = ", ".join(f"`{argument}`" for argument in COMMON)
    return f"Every kind takes these, too: {words}.\n"


def _meta() -> str:
    found = {name: fact.default for name, fact in vars(BaseJob).items() if type(fact).__name__ == "_FromMeta"}
    rows = ((f"`{name}`", f"`{getattr(Job, name)!r}`") for name in sorted(found))
    return "## Facts of Meta\n\n" + table(("attribute", "default"), rows)
