"""A network inventory: the objects of the demo, jobs that work on them, and all else that a plugin can bring."""

from pathlib import Path
from typing import TYPE_CHECKING

from store.plugins import Link, Plugin

if TYPE_CHECKING:
    from store.data import Data


def _load_demo(data: "Data") -> bool:
    # Imported here: the demo, and the models it needs, are asked for once in the life of an instance.
    from .demo import load_demo

    return load_demo(data)


# What is named by this package's own name can be installed under another one, too.
plugin = Plugin(
    name="Network inventory",
    label="inventory",
    version="1.0.0",
    models=f"{__name__}.models",
    variables=f"{__name__}.variables",
    dialects=f"{__name__}.plans",
    jobs=(
        f"{__name__}.jobs.provisioning",
        f"{__name__}.jobs.reports",
        f"{__name__}.jobs.summary",
        f"{__name__}.jobs.surveying",
        f"{__name__}.jobs.importing",
        f"{__name__}.jobs.retiring",
        f"{__name__}.jobs.tagging",
    ),
    pages=f"{__name__}.pages",
    links=(Link("Site board"),),
    migrations=Path(__file__).parent / "migrations",
    load_demo=_load_demo,
)
