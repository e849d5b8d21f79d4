"""Messages on their way and sent."""

from typing import Any, Literal

from sqlalchemy import select
from werkzeug.exceptions import Conflict

from store.audit import note
from store.models import Delivery
from store.permissions import NotVisible, require
from webapp.api.calls import Query, call
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import notices as shapes
from webapp.api.tokens import user
from webapp.database import db
from worker.postman import send_again

ORDER = Order({"id": Delivery.id, "created_at": Delivery.created_at}, Delivery.id, "-id")

WIPED = "The link in it was wiped when it was sent: make a new one for the user."


class Deliveries(Sorted):
    state: list[Literal["waiting", "failed", "gave_up", "sent"]] = []
    via: list[Literal["mail", "slack", "webhook", "browser"]] = []


@call(query=Deliveries, answers={200: Page[shapes.DeliveryShape]}, tag="deliveries")
def deliveries(query: Deliveries) -> Any:
    """List messages, the latest first."""
    require(user(), "view", Delivery)
    wanted = select(Delivery)
    for name in ("state", "via"):
        if given := getattr(query, name):
            wanted = wanted.where(getattr(Delivery, name).in_(given))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.delivery(row) for row in rows], more)


@call(answers={200: shapes.DeliveryShape}, tag="deliveries")
def delivery(query: Query, key: int) -> Any:
    """Show a message, and what was answered to it."""
    found = _find(key)
    require(user(), "view", found)
    return shapes.delivery(found)


@call(answers={200: shapes.DeliveryShape}, tag="deliveries")
def again(query: Query, key: int) -> Any:
    """Have a message sent again."""
    found, session = _find(key), db.session()
    require(user(), "change", found)
    if not send_again(session, found):
        raise Conflict(WIPED if found.event == "invitation" else "It is on its way already.")
    note(session, "delivery.again", str(found.mark))
    session.commit()
    session.refresh(found)
    return shapes.delivery(found)


def _find(key: int) -> Delivery:
    found: Delivery | None = db.session.get(Delivery, key)
    if found is None:
        raise NotVisible
    return found
