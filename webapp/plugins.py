"""The pages that plugins bring, below /plugins/<label>/, and their lines at the side of all pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Flask, url_for

from store.plugins import Link, Plugin, PluginError, import_part


@dataclass(frozen=True, slots=True)
class SideLink:
    """A line at the side: what it says and where it leads."""

    text: str
    icon: str
    endpoint: str

    @property
    def url(self) -> str:
        return url_for(self.endpoint)


def init_app(app: Flask, plugins: Sequence[Plugin]) -> None:
    """Serve the pages of these plugins. Raises PluginError."""
    # Made anew for each application: a blueprint that was registered takes nothing more.
    below = Blueprint("plugins", __name__, url_prefix="/plugins")
    for plugin in plugins:
        if plugin.pages is not None:
            below.register_blueprint(_pages_of(plugin, plugin.pages), url_prefix=f"/{plugin.label}")
    app.register_blueprint(below)
    app.jinja_env.globals["side_links"] = [
        _side_link(app, plugin, link) for plugin in plugins for link in plugin.links
    ]


def _pages_of(plugin: Plugin, module_name: str) -> Blueprint:
    blueprint = getattr(import_part(plugin, module_name, "pages"), "blueprint", None)
    if not isinstance(blueprint, Blueprint) or blueprint.name != plugin.label:
        raise PluginError(
            f'The pages of the plugin {plugin.name!r} cannot be used: {module_name} has no `blueprint = Blueprint("{plugin.label}", '
            "__name__, ...)`."
        )
    return blueprint


def _side_link(app: Flask, plugin: Plugin, link: Link) -> SideLink:
    endpoint = f"plugins.{plugin.label}.{link.endpoint}"
    rules = list(app.url_map.iter_rules(endpoint)) if endpoint in app.view_functions else []
    if not any(not rule.arguments and "GET" in (rule.methods or ()) for rule in rules):
        raise PluginError(
            f"The link {link.text!r} of the plugin {plugin.name!r} leads nowhere: its pages have no view "
            f"{link.endpoint!r} that can be opened without more being said."
        )
    return SideLink(link.text, link.icon, endpoint)
