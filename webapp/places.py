"""The pages that one can go to from anywhere: at the side, at the bottom of a phone, by keys and by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, url_for

from store.models import (
    Button,
    Chain,
    Channel,
    DataFile,
    Delivery,
    Group,
    Hook,
    JobRecord,
    JobResult,
    JobSource,
    Permission,
    Schedule,
    User,
    Webhook,
    WorkerProcess,
)
from webapp.auth import allowed
from webapp.here import here, path_here
from webapp.plugins import SideLink

#: So many pages stand at the bottom of a phone; the others are behind "More".
IN_BAR = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A page: what it is called, and where it is."""

    word: str
    endpoint: str
    icon: str
    #: Whose list it is: who may view some of those may go there. None: everybody may.
    of: type[Any] | None = None
    #: Pressed after `g`, it leads there.
    key: str = ""
    #: How the addresses begin that belong to it.
    below: tuple[str, ...] = ()
    #: What else it is looked for by.
    also: str = ""

    @property
    def url(self) -> str:
        return url_for(self.endpoint)

    @property
    def is_current(self) -> bool:
        return path_here().startswith(tuple(map(here, self.below)) or (self.url,))

    @property
    def may_be_seen(self) -> bool:
        return self.of is None or allowed("view", self.of)


CHANNELS = Place("Channels", "channels.index", "link", Channel, "", ("/admin/",), "slack mail messages")

#: What the tabs of those pages lead to.
ADMIN_PARTS = (
    "users",
    "groups",
    "permissions",
    "hooks",
    "buttons",
    "chains",
    "webhooks",
    "notifications",
    "deliveries",
    "audit",
    "retention",
)

#: At the side, in their order.
RAIL = (
    Place("Jobs", "jobs.index", "jobs", JobRecord, "j", ("/jobs/", "/admin/sources/")),
    Place("Results", "results.index", "results", JobResult, "r", ("/results/",), "runs history"),
    Place("Schedules", "schedules.index", "calendar", Schedule, "s", ("/schedules/",), "cron times"),
    Place("Approvals", "approvals.index", "approve", None, "a", ("/approvals/",), "requests decide"),
    Place("Workers", "workers.index", "workers", WorkerProcess, "w", ("/workers/",), "queues"),
    Place("Objects", "objects.index", "object", None, "o", ("/objects/",)),
    Place("Data files", "data_files.index", "file", DataFile, "f", ("/data-files/",)),
    Place(
        "Admin",
        "users.index",
        "lock",
        User,
        "p",
        tuple(f"/admin/{part}" for part in ADMIN_PARTS),
        "people users",
    ),
)

#: Those that are a step further away.
FURTHER = (
    Place("Groups", "groups.index", "lock", Group, also="people members admin"),
    Place("Permissions", "permissions.index", "lock", Permission, also="rights admin"),
    Place("What you may do, and why", "permissions.explain", "lock", also="explain permissions rights"),
    Place("Job sources", "sources.index", "code", JobSource, also="git repositories admin"),
    Place("Job hooks", "hooks.index", "link", Hook, also="admin"),
    Place("Buttons", "buttons.index", "link", Button, also="objects admin"),
    Place("Chains", "chains.index", "link", Chain, also="follow admin"),
    Place("Webhooks", "webhook_pages.index", "link", Webhook, also="admin"),
    CHANNELS,
    Place("Deliveries", "deliveries.index", "link", Delivery, also="messages notifications admin"),
    Place("Audit log", "audit.index", "results", User, also="who did what admin"),
    Place(
        "How long results are kept", "retention.show", "results", User, also="retention days old remove admin"
    ),
    Place("Your account", "account.show", "lock", also="password tokens sessions profile"),
    Place("Your notifications", "notifications.show", "info", also="told about messages"),
    Place("First steps", "home.welcome", "errand", JobRecord, also="welcome"),
    Place("Keys", "jump.keys", "info", also="keyboard shortcuts help"),
)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(rail_places=rail_places, IN_BAR=IN_BAR)


def rail_places() -> Sequence[Place]:
    """Return the pages at the side that whoever asks may see, those of plugins last."""
    places = [place for place in RAIL if place.may_be_seen]
    if all(place.of is not User for place in places) and CHANNELS.may_be_seen:
        places.append(CHANNELS)
    links: Sequence[SideLink] = current_app.jinja_env.globals["side_links"]  # type: ignore[assignment]
    return places + [Place(link.text, link.endpoint, link.icon) for link in links]


def all_places() -> Sequence[Place]:
    """Return all pages that whoever asks may go to by name."""
    rail = rail_places()
    return [*rail, *(place for place in FURTHER if place not in rail and place.may_be_seen)]
