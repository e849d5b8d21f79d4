"""Finds the modules in the folder `served`, in processes that run job files, wherever nothing else has their names."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

SERVED = Path(__file__).parent / "served"

NAMES = (
    *("nautobot", "django", "celery", "billiard", "botscheduler", "ndscheduler", "tinyscript"),
    *("bennettbot", "veritas"),
)

#: What to do about names of which job files could do without.
ADVICE = {
    "django.db.models": "objects are found with lookups such as `Device.objects.filter(name__in=[...])`",
    "django.contrib.contenttypes": "a model says what it is called in its `object_type`",
    "django.contrib.auth.models": "`self.user` is who asked for the run",
    "django.test": "a job file needs no tests to run; keep them in a folder of their own",
    "ndscheduler.corescheduler": "jobs need `ndscheduler.corescheduler.job`, and the rest of a scheduler is Errand's own",
    "ndscheduler": "jobs need `ndscheduler.job`, and the rest of a scheduler is Errand's own",
    "tinyscript": "jobs need `tinyscript.report`",
    "bennettbot.scheduler": "runs are asked for in Slack, by webhooks, schedules or the API (docs/bennettbot.md)",
    "bennettbot": "job files need `bennettbot.settings`, `bennettbot.job_configs` and `bennettbot.signatures`",
    "veritas": "plugins need `veritas.plugin`, and bring or install all else themselves (docs/jobschleuder.md)",
    "botscheduler": "`from botscheduler import *` has all that jobs need",
    "nautobot.extras.context_managers": "`self.request` and `self.user` tell who asked for the run",
}

#: The plugin packages of this portal, for whoever needs their models.
plugins: list[str] = []


def install_shims(plugin_packages: Sequence[str] | None) -> None:
    """Serve the names in this process, behind whatever is installed; None where its plugins are known already."""
    if plugin_packages is not None:
        # Imported here: a child, for whom this has been done, needs none of it.
        from store.plugins import load_words

        plugins[:] = plugin_packages
        load_words(plugin_packages)
    if not any(isinstance(finder, _Shims) for finder in sys.meta_path):
        sys.meta_path.append(_Shims())


class _Shims(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        # A package of ours has an empty path: one that has any is installed, and knows its modules better.
        if fullname.partition(".")[0] not in NAMES or path:
            return None
        place = SERVED.joinpath(*fullname.split("."))
        if place.is_dir():
            return _package(fullname, place / "__init__.py")
        file = place.with_name(f"{place.name}.py")
        if file.is_file():
            return spec_from_file_location(fullname, file)
        # Without its `name`: `from package import module` would swallow it, and this sentence.
        raise ModuleNotFoundError(_sentence(fullname))


def _package(name: str, file: Path) -> ModuleSpec | None:
    spec = spec_from_file_location(name, file) if file.is_file() else ModuleSpec(name, None, is_package=True)
    if spec is not None:
        spec.submodule_search_locations = []
    return spec


def _sentence(name: str) -> str:
    package = name.partition(".")[0]
    instead = next(
        (advice for known, advice in ADVICE.items() if name == known or name.startswith(f"{known}.")),
        "see docs/nautobot.md for the names that are served",
    )
    return (
        f"{name} is not served, because {package} is not installed here: "
        f"install {package} beside Errand, or change the import ({instead})."
    )
