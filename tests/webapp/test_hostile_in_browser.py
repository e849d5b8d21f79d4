"""Hostile texts in a real browser: nothing of them runs, asks for anything, or opens anything."""

from typing import Any

import pytest

from tests.hostile_texts import OWN

from .conftest import Browser
from .test_every_page import is_page, through
from .test_hostile_pages import Place, addresses, place

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

__all__ = ["place"]


def test_nothing_of_hostile_texts_runs(root: Browser, place: Place, chromium: Any):
    context = chromium.new_context(base_url="http://localhost")
    page = context.new_page()
    happened: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: (happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: happened.append(f"error {error}"))
    page.on("popup", lambda popup: happened.append(f"popup {popup.url}"))
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    context.route("**/*", through(root))
    word = "\n\n".join(OWN)
    place.fill(word)
    opened = 0
    for path in addresses(place, word):
        path = path.replace("/Greet", "/Greet/")
        if path.startswith("/nothing/") or is_page(root.get(path)):
            opened += 1
        else:
            continue  # A file, or it leads elsewhere.
        page.goto(path, wait_until="load")
        # Whatever a pointer or a key would set off.
        page.evaluate(
            "for (const each of document.querySelectorAll('main *')) "
            "for (const kind of ['mouseover', 'focus', 'toggle', 'error', 'load']) each.dispatchEvent(new Event(kind))"
        )
        assert page.evaluate("window.__hostile") is None, path
        bad = page.evaluate(
            "[...document.querySelectorAll('[href], [src], [action], [formaction]')].filter(each => "
            "/^\\s*(javascript|vbscript|data:text)/i.test(each.href || each.src || each.action || '')).length"
        )
        assert bad == 0, path
    context.close()
    assert happened == []
    assert [each for each in asked if "evil.example" in each.split("?")[0] or "/logout" in each] == []
    assert [each for each in asked if not each.startswith("GET ")] == []
    assert opened > 15
