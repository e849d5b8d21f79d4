"""The one module that marks HTML as safe: only what `store.html` has rendered and sanitized."""

from functools import lru_cache
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from store import html
from store.models import LogEntry
from store.text import clean_text
from webapp import export_looks
from webapp.assets import static
from webapp.here import links_here


def init_app(app: Flask) -> None:
    # Every text on its way into a page: no name may hide or turn around what stands beside it.
    app.jinja_env.finalize = _without_disguise
    app.jinja_env.filters.update(
        markdown=markdown,
        markdown_line=markdown_line,
        json_table=json_table,
        entry_html=entry_html,
        entry_html_elsewhere=entry_html_elsewhere,
        around_form=around_form,
    )
    app.jinja_env.globals["svg_icon"] = icon
    # Constants of ours, each the whole content of its element.
    app.jinja_env.globals["export_style"] = Markup(export_looks.STYLE)  # noqa: S704
    app.jinja_env.globals["export_script"] = Markup(export_looks.SCRIPT)  # noqa: S704


def _without_disguise(value: Any) -> Any:
    # Nearly all that a page shows is plain: nothing in it to look for.
    if not isinstance(value, str) or isinstance(value, Markup) or (value.isascii() and value.isprintable()):
        return value
    return clean_text(value)


def icon(name: str, extra: str = "") -> Markup:
    """Return the icon of this name in the sprite; `extra` is a class beside its own."""
    return _icon(static("sprite.svg"), name, extra)


@lru_cache(maxsize=500)
def _icon(sprite: str, name: str, extra: str) -> Markup:
    svg = Markup('<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>')
    return svg.format(f"i {extra}".strip(), sprite, name)


def markdown(text: str) -> Markup:
    return Markup(links_here(html.render(text)))  # noqa: S704


def markdown_line(text: str) -> Markup:
    """Render one line for where only words may stand; text of several blocks stays as it was written."""
    return Markup(links_here(_line(text)))  # noqa: S704


@lru_cache(maxsize=2000)
def _line(text: str) -> Markup:
    rendered = html.render(text)
    if rendered.startswith("<p>") and rendered.endswith("</p>") and rendered.count("<p>") == 1:
        return Markup(rendered[3:-4])  # noqa: S704
    return escape(text)


def json_table(value: Any) -> Markup:
    return Markup(clean_text(html.json_table(value)))  # noqa: S704


def entry_html(entry: LogEntry, find: str = "") -> Markup:
    """Return what an entry says, as it was sanitized when it was written; `find` is marked in it."""
    return Markup(links_here(html.marked(entry.html, find)))  # noqa: S704


def entry_html_elsewhere(entry: LogEntry, portal: str) -> Markup:
    """Return what an entry says for where the portal is not: links to its pages say where that is."""
    return Markup(html.links_below(entry.html, portal))  # noqa: S704


def around_form(kept: str) -> Markup:
    """Return the HTML of a form template, as it was sanitized when it was stored."""
    return Markup(links_here(clean_text(kept)))  # noqa: S704
