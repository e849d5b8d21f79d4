"""A page of the plugin's own: how far each site is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flask import Blueprint, render_template
from sqlalchemy import func, select

from webapp.pages import data_session, require

from .models import Device, Site, Status

blueprint = Blueprint("inventory", __name__, template_folder="templates")


@dataclass(slots=True)
class Row:
    """A site, and how many of its devices have which status."""

    site: Site
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@blueprint.get("/")
def index() -> str:
    """Show all sites with their devices, by where in their life these are."""
    require("view", Device)
    with data_session():
        rows = list(_rows(Site.objects.select_related("status").order_by("name")))
        return render_template("inventory/board.html", rows=rows)


def _rows(sites: Iterable[Site]) -> Iterator[Row]:
    counts: dict[int, dict[str, int]] = {}
    for site_id, status, count in _counts():
        counts.setdefault(site_id, {})[status] = count
    for site in sites:
        yield Row(site, counts.get(site.id, {}))


def _counts() -> Iterable[tuple[int, str, int]]:
    """Ask once for all sites: there may be thousands of devices."""
    with data_session() as data:
        query = (
            select(Device.site_id, Status.name, func.count())
            .join(Status, Device.status_id == Status.id)
            .group_by(Device.site_id, Status.name)
            .order_by(func.count().desc(), Status.name)
        )
        return [(row[0], row[1], row[2]) for row in data.execute(query)]
