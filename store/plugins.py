"""Plugin packages: trusted Python packages that bring models, jobs, pages and more (see docs/plugins.md)."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.data import Data
    from store.settings import Settings

#: Installed packages announce their plugin under this name.
ENTRY_POINTS = "errand.plugins"


class PluginError(Exception):
    """A plugin that cannot be used, as a sentence for the person who named it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A line among the pages at the side, that leads to a page of a plugin."""

    text: str
    #: The name of the view, in the plugin's blueprint.
    endpoint: str = "index"
    #: One of the icons of the portal (see docs/plugins.md).
    icon: str = "object"


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
    #: The module with its kinds of variables; the web process imports it, too.
    variables: str | None = None
    #: The module with its dialects, each a subclass of `jobs.lifecycle.Life`.
    dialects: str | None = None
    #: The module with its pages: a Flask blueprint called `blueprint`, served below /plugins/<label>/.
    pages: str | None = None
    #: Which of its pages are named at the side of all pages.
    links: tuple[Link, ...] = ()
    #: Adds demo objects, once; True when it did so just now.
    load_demo: "Callable[[Data], bool] | None" = None


def load_plugins(settings: "Settings") -> list[Plugin]:
    """Import the plugin packages of this instance and register what they bring (see `load_named`)."""
    return load_named(settings.plugins)


def load_named(names: Sequence[str]) -> list[Plugin]:
    """Import these plugin packages and register their models, variables and dialects; then those that are installed.

    Installed packages announce theirs with an entry point of the group `errand.plugins`. May be called
    again; it then finds the same. Raises PluginError.
    """
    plugins = load_words(names)
    for plugin in plugins:
        _register_models(plugin)
    return plugins


def load_words(names: Sequence[str]) -> list[Plugin]:
    """Do the same without their models, which cost memory and time: what it takes to describe jobs."""
    plugins = find_plugins(names)
    for plugin in plugins:
        _register_variables(plugin)
        _register_dialects(plugin)
    return plugins


def find_plugins(names: Sequence[str]) -> list[Plugin]:
    """Import these plugin packages, and those that are installed, but nothing of what they name."""
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
    module = import_part(plugin, plugin.models, "models")
    try:
        for model in models_in(module):
            register_model(getattr(model, "object_label", plugin.label), model)
    except RegistrationError as error:
        raise PluginError(f"The models of the plugin {plugin.name!r} cannot be used: {error}") from error


def _register_variables(plugin: Plugin) -> None:
    if plugin.variables is None:
        return
    from jobs.kinds import KindError, register_kind
    from jobs.variables import Variable

    module = import_part(plugin, plugin.variables, "variables")
    try:
        for kind in _own_classes(module, Variable):
            register_kind(kind)
    except KindError as error:
        raise PluginError(f"The variables of the plugin {plugin.name!r} cannot be used: {error}") from error


def _register_dialects(plugin: Plugin) -> None:
    if plugin.dialects is None:
        return
    from jobs.dialects.running import DialectError, register_dialect
    from jobs.lifecycle import Life

    module = import_part(plugin, plugin.dialects, "dialects")
    try:
        for life in _own_classes(module, Life):
            register_dialect(life)
    except DialectError as error:
        raise PluginError(f"The dialects of the plugin {plugin.name!r} cannot be used: {error}") from error


def _own_classes(module: ModuleType, base: type[Any]) -> list[type[Any]]:
    """Return the subclasses that a module defines, and not those that it imports."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]


def import_part(plugin: Plugin, module_name: str, what: str) -> ModuleType:
    """Import a module that a plugin names; `what` is what there is in it: "pages". Raises PluginError."""
    return _import(module_name, f"The {what} of the plugin {plugin.name!r}")


def _import(module_name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise PluginError(f"{what} cannot be found: there is no module {error.name}.") from error
        raise PluginError(f"{what} cannot be imported: it needs {error.name}, which is missing.") from error
    except Exception as error:  # Importing runs code of others: anything may come of it.
        raise PluginError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
