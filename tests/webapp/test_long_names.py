"""Names of one long word: they break before they make a page wider than its window."""

from typing import Any

import pytest

from store.models import Group, Permission, User
from tests.accessibility import TOO_WIDE

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]

LONG = "W" * 90


def test_long_names_break(page: Any, db: Any, make_job: Any):
    db.query(User).update({"display_name": LONG})
    group = Group(name="G" + LONG)
    db.add(Permission(name="P" + LONG, kind="job", actions=["view"], groups=[group]))
    db.commit()
    address_of_group = f"/admin/groups/{group.id}"
    make_job("A" + LONG, class_name="Aardvark", enabled=True)
    for width in (320, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        for address in ("/welcome", address_of_group, "/admin/permissions/", "/jobs/"):
            page.goto(address)
            assert LONG in page.locator("main").text_content()
            assert page.evaluate(TOO_WIDE) == "", (address, width)
            assert page.locator("[data-theme-switch]").bounding_box()["width"] > 24
