"""The reference pages of docs/ that are written from the code; `./errand help-docs` writes them."""

from collections.abc import Callable

from store.settings import PROJECT_ROOT
from webapp.cli.reference import api_calls, hooks, metrics, pieces, plugin_facts, settings_table, variables

DOCS = PROJECT_ROOT / "docs"

#: What stands below this line is written by the code.
MARK = "<!-- Below this line ./errand help-docs writes what the code says. -->\n"

#: Each page, and what the code has to say on it.
PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_table.text,
    "variables.md": variables.text,
    "report-pieces.md": pieces.text,
    "plugin-facts.md": plugin_facts.text,
    "hook-facts.md": hooks.text,
    "metrics.md": metrics.text,
    "api-calls.md": api_calls.text,
}


def written(name: str, before: str) -> str:
    """Return the page as it should be, with all that people wrote above the mark."""
    head, _, _ = before.partition(MARK)
    return f"{head}{MARK}\n{PAGES[name]().rstrip()}\n"


def write_all() -> None:
    for name in PAGES:
        page = DOCS / name
        page.write_text(written(name, page.read_text("utf-8")), "utf-8")
