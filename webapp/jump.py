"""Going to anything from anywhere: the palette, and the keys."""

from flask import Blueprint, render_template, request

from store.models import JobRecord
from store.text import clean_text
from webapp import htmx
from webapp.auth import require
from webapp.finding import at_hand, find
from webapp.places import rail_places

blueprint = Blueprint("jump", __name__)

LONGEST_SEARCH = 100


@blueprint.get("/jump")
def show() -> str:
    """Find jobs, results, schedules, objects and pages: for the palette, or as a page."""
    require("view", JobRecord)
    given = request.args.get("q", "")[:LONGEST_SEARCH]
    text = " ".join(clean_text(given).split())
    groups = find(text) if text else at_hand()
    template = "jump/_options.html" if htmx.wants_fragment() else "jump/show.html"
    # The palette compares what was looked for with what stands in its field now.
    return render_template(template, groups=groups, q=text, given=given)


@blueprint.get("/keys")
def keys() -> str:
    """List the keys: for the dialog, or as a page."""
    require("view", JobRecord)
    template = "jump/_keys.html" if htmx.wants_fragment() else "jump/keys.html"
    return render_template(template, places=[place for place in rail_places() if place.key])
