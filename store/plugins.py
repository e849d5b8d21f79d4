"""Plugin packages: trusted Python packages that bring models, jobs and migrations."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from store.settings import Settings

if TYPE_CHECKING:
    from store.data import Data

#: Installed packages announce their plugin under this name.
ENTRY_POINTS = "errand.plugins"


class PluginError(Exception):
    """A plugin that cannot be used, as a sentence for the person who named it."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a plugin package brings. It exposes one as `plugin` in its `__init__`.

    Modules are named, not imported: the package itself must be light.
    """

    #: For people: "Network inventory".
    name: str
    #: In the names of its models and of its migration branch: "inventory" gives "inventory.device".
    label: str
    version: str = ""
    #: The module with its models.
    models: str | None = None
    #: The modules with its jobs; the web process never imports them.
    jobs: tuple[str, ...] = ()
    #: The folder of its Alembic revisions, whose branch label is `label`.
    migrations: Path | None = None
    #: Adds demo objects, once; True when it did so just now.
    load_demo: "Callable[[Data], bool] | None" = None


def load_plugins(settings: Settings) -> list[Plugin]:
    """Import the plugin packages of this instance and register their models (see `load_named`)."""
    return load_named(settings.plugins)


def load_named(names: Sequence[str]) -> list[Plugin]:
    """Import these plugin packages and register their models; then those that are installed.

    Installed packages announce theirs with an entry point of the group `errand.plugins`. May be called
    again; it then finds the same. Raises PluginError.
    """
    plugins = find_plugins(names)
    for plugin in plugins:
        _register_models(plugin)
    return plugins


def find_plugins(names: Sequence[str]) -> list[Plugin]:
    """Import these plugin packages, and those that are installed, but not their models: that costs memory and time."""
    plugins: dict[str, Plugin] = {}
    for plugin in [*map(_named, names), *_installed()]:
        other = plugins.setdefault(plugin.label, plugin)
        if other != plugin:
            raise PluginError(
                f"The plugins {other.name!r} and {plugin.name!r} both claim the label {plugin.label!r}; "
                "remove one of them."
            )
    return list(plugins.values())


def _named(module_name: str) -> Plugin:
    return _plugin_of(_import(module_name, f"The plugin package {module_name}"), "plugin")


def _installed() -> list[Plugin]:
    return [
        _plugin_of(_import(point.module, f"The installed plugin {point.name}"), point.attr or "plugin")
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    ]


def _plugin_of(package: ModuleType, attribute: str) -> Plugin:
    plugin = getattr(package, attribute, None)
    if not isinstance(plugin, Plugin):
        raise PluginError(
            f"The package {package.__name__} is no plugin: it has no `{attribute} = Plugin(...)`."
        )
    if not (plugin.label.isidentifier() and plugin.label.islower()):
        raise PluginError(
            f"The plugin {plugin.name!r} has the label {plugin.label!r}; "
            "a label is lower-case letters, digits and underscores."
        )
    return plugin


def _register_models(plugin: Plugin) -> None:
    # Imported here: naming a plugin must not cost a process the whole of SQLAlchemy.
    from store.registry import RegistrationError, models_in, register_model

    if plugin.models is None:
        return
    module = _import(plugin.models, f"The models of the plugin {plugin.name!r}")
    try:
        for model in models_in(module):
            register_model(getattr(model, "object_label", plugin.label), model)
    except RegistrationError as error:
        raise PluginError(f"The models of the plugin {plugin.name!r} cannot be used: {error}") from error


def _import(module_name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise PluginError(f"{what} cannot be found: there is no module {error.name}.") from error
        raise PluginError(f"{what} cannot be imported: it needs {error.name}, which is missing.") from error
    except Exception as error:  # Importing runs code of others: anything may come of it.
        raise PluginError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
