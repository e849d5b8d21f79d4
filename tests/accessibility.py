"""What keeps people from using a page: axe's findings in both themes, and what does not fit into a window."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT

#: WCAG 2.2, AA, and what axe's makers think good besides.
STANDARDS = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
#: What colours alone decide: all else has been looked at in the other theme.
OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
#: What else the width of a window decides.
OF_SIZES = {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}

THEMES = ("light", "dark")

#: From a small phone to a very wide screen.
PHONE, DESKTOP = 390, 1440
WIDTHS = (320, PHONE, 768, 1024, DESKTOP, 2560)
#: Those that find nearly all of it.
SOME_WIDTHS = (320, PHONE, DESKTOP)
_ASK = """([only, rules]) => axe.run(document, {runOnly: only, rules, resultTypes: ["violations"]}).then(found => found.violations.map(each =>
    each.id + ": " + each.nodes.map(node => node.target.join(" ") + " " + node.failureSummary).join(" | ")))"""

#: The first things that reach beyond the window. What scrolls within a box of its own does not make a page wider.
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? "" : Array.from(document.querySelectorAll("body *"))
    .filter(each => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map(each => each.outerHTML.slice(0, 90)).join(" ") || "something" """


def look(page: Any, themes: Sequence[str] = THEMES, *, covered: bool = False) -> list[str]:
    """Return what is wrong with a page as it stands, in these themes; `covered` while a menu lies over it.

    What lies half under an open menu counts as too small to press: it is whole once the menu is closed.
    """
    left_out = {"target-size": {"enabled": False}} if covered else {}
    first, *others = themes
    found = _ask(page, first, STANDARDS, left_out)
    return found + [each for theme in others for each in _ask(page, theme, OF_COLOURS)]


def look_in_sizes(page: Any, widths: Sequence[int], themes: Sequence[str] = THEMES) -> list[str]:
    """Return what is wrong with a page in windows of these widths, and in these themes."""
    found: list[str] = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        if wide := page.evaluate(TOO_WIDE):
            found.append(f"too wide at {width}: {wide}")
        if width == PHONE:
            found += _ask(page, "light", OF_SIZES)
        if width == DESKTOP:
            found += look(page, themes)
    return found


def _ask(page: Any, theme: str, only: dict[str, Any], rules: dict[str, Any] | None = None) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    page.emulate_media(color_scheme=theme)
    width = page.viewport_size["width"]
    return [f"{theme}, {width}: {each}" for each in page.evaluate(_ASK, [only, rules or {}])]
