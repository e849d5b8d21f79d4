"""A network inventory: the objects of the demo, and jobs that work on them."""

from pathlib import Path
from typing import TYPE_CHECKING

from store.plugins import Plugin

if TYPE_CHECKING:
    from store.data import Data


def _load_demo(data: "Data") -> bool:
    # Imported here: the demo, and the models it needs, are asked for once in the life of an instance.
    from examples.inventory.demo import load_demo

    return load_demo(data)


plugin = Plugin(
    name="Network inventory",
    label="inventory",
    version="1.0.0",
    models="examples.inventory.models",
    jobs=(
        "examples.inventory.jobs.provisioning",
        "examples.inventory.jobs.reports",
        "examples.inventory.jobs.importing",
    ),
    migrations=Path(__file__).parent / "migrations",
    load_demo=_load_demo,
)
