"""What one wants to be told about, and by which way; and what one was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import select, update

from store import audit
from store.models import (
    FINAL,
    Channel,
    Delivery,
    NoticeRule,
    Status,
    now,
)
from store.models.notice import UNSEEN
from store.notice_settings import is_mail
from store.notices import OUTCOMES, OUTPUT, OWN, UNSAID, WAYS, WHEN, WHEN_WORDS, when_of
from store.permissions import NotVisible
from webapp import htmx, wishes
from webapp.admin_forms import AdminForm, line
from webapp.auth import polled, signed_in_user
from webapp.database import db, reading, writing
from webapp.looks import LOOKS
from worker.postman import send_again

blueprint = Blueprint("notifications", __name__, url_prefix="/account/notifications")

DELIVERIES_SHOWN = 20
#: What nobody was there to read for so long is only listed.
STALE = timedelta(days=1)
#: So many messages are shown in a browser at once; the others come with the next poll.
MOST_UNSEEN = 3

NOT_A_MAIL = "Enter one mail address, such as alice@example.com, or nothing."


@dataclass(frozen=True, slots=True)
class Tell:
    """The reader's wish about a job, a schedule or a run, as its form shows it."""

    about: str
    subject: str
    ways: frozenset[str] = frozenset()
    on: str = "any"
    #: It is too late to wish for anything.
    ended: bool = False


@blueprint.get("/")
def show() -> str:
    user = signed_in_user()
    said = user.notices if user.notices is not None else UNSAID
    values: dict[str, Any] = {"address": user.mail, **{way: set(said.get(way, ())) for way in WAYS}}
    return _page(AdminForm(values))


@blueprint.post("/")
def save() -> Response:
    """Keep one's mail address, and what one wants to be told of what concerns oneself."""
    user = signed_in_user()
    form = AdminForm({"address": line(request.form, "address")})
    form.values |= {way: {word for word in request.form.getlist(way) if word in OWN} for way in WAYS}
    if form.text("address") and not is_mail(form.text("address")):
        form.refuse("address", NOT_A_MAIL)
    if form.errors:
        return make_response(_page(form), HTTPStatus.UNPROCESSABLE_ENTITY)
    notices = {way: [word for word in OWN if word in form.values[way]] for way in WAYS}
    with writing() as session:
        wishes.save_notices(session, user, form.text("address"), notices)
    flash("Saved what you are told about.")
    return _back()


@blueprint.post("/tell")
def tell() -> Response:
    """Say by which ways one wants to be told about a job, a schedule or a run; by none takes the wish back."""
    about, subject = request.form.get("about", ""), request.form.get("subject", "")
    name = wishes.name_of(db.session(), signed_in_user(), about, subject)
    on = request.form.get("on", "any")
    words = list(WHEN.get(on, WHEN["any"])) if about != "run" else list(OUTCOMES)
    ways = [way for way in WAYS if way in request.form.getlist("ways")]
    wishes.keep(db.session(), signed_in_user(), about, subject, name, ways, words)
    told = tell_of(about, subject)
    if about == "run" and wishes.has_ended(db.session(), signed_in_user(), subject):
        told = Tell(about, subject, ended=True)
    if htmx.wants_fragment():
        return make_response(render_template("notifications/_tell.html", tell=told))
    flash("It has ended." if told.ended else "Saved what you are told about.")
    return make_response(redirect(_page_of(about, subject), HTTPStatus.SEE_OTHER))


@blueprint.post("/rules/<int(max=2147483647):rule_id>/delete")
def forget(rule_id: int) -> Response:
    with writing() as session:
        rule = wishes.forget(session, signed_in_user(), rule_id)
    if rule is None:
        raise NotVisible
    flash(f"You are not told about {rule.name} any more.")
    return _back()


@blueprint.post("/seen")
@polled
def seen() -> Response:
    """Take these messages as shown; say which nobody had shown before, so that one window alone shows them."""
    ids = [
        int(text)
        for text in request.form.getlist("id")[:50]
        if text.isascii() and text.isdecimal() and len(text) < 18
    ]
    shown = []
    with writing() as session:
        for number in ids:
            mine = (Delivery.id == number, Delivery.user_id == signed_in_user().id, UNSEEN)
            values = {
                "state": "sent",
                "sent_at": now(),
                "last_answer": "Shown.",
                "attempts": Delivery.attempts + 1,
            }
            written = session.execute(
                update(Delivery).where(*mine).values(**values),
                execution_options={"synchronize_session": False},
            )
            if written.rowcount:  # type: ignore[attr-defined]
                shown.append(number)
    return jsonify(shown=shown)


@blueprint.post("/deliveries/<int(max=9223372036854775807):number>/again")
def again(number: int) -> Response:
    """Have one of one's own messages sent again."""
    with writing() as session:
        own = (Delivery.id == number, Delivery.user_id == signed_in_user().id)
        found = session.scalars(select(Delivery).where(*own)).one_or_none()
        if found is None or found.event == "invitation":
            raise NotVisible
        if send_again(session, found):
            audit.note(session, "delivery.again", str(found.mark))
            flash("It is sent again.")
        else:
            flash("It is on its way already.", "warn")
    return _back()


def tell_of(about: str, subject: object) -> Tell:
    """Return what the reader wishes to be told about something."""
    own = (
        NoticeRule.user_id == signed_in_user().id,
        NoticeRule.about == about,
        NoticeRule.subject == str(subject),
    )
    rule = db.session.scalars(select(NoticeRule).where(*own)).one_or_none()
    if rule is None:
        return Tell(about, str(subject))
    return Tell(about, str(subject), frozenset(rule.ways), when_of(rule.words))


def unseen() -> Sequence[Delivery]:
    """Return what the reader is still to be shown; asked once a request."""
    if "unseen" not in g:
        query = select(Delivery).where(*to_be_shown())
        g.unseen = db.session.scalars(query.order_by(Delivery.id).limit(MOST_UNSEEN)).all()
    found: Sequence[Delivery] = g.unseen
    return found


def to_be_shown() -> tuple[Any, ...]:
    """Return the conditions for what the reader is still to be shown."""
    return (Delivery.user_id == signed_in_user().id, Delivery.created_at > now() - STALE, UNSEEN)


@blueprint.app_context_processor
def offer() -> dict[str, object]:
    mail = current_app.extensions["errand"].settings.notices.mail is not None
    return {
        "unseen": unseen,
        "look_of_notice": _look,
        "channels": Channel,
        "ways": WAYS,
        "mail_is_sent": mail,
        "when_words": WHEN_WORDS,
    }


def _look(delivery: Delivery) -> str:
    """Return the colour of a message."""
    ended = delivery.event in ("ended", OUTPUT)
    status = delivery.content.get("result", {}).get("status") if ended else None
    return LOOKS[Status(status)].css if status in FINAL else "is-hold"


def _page_of(about: str, subject: str) -> str:
    """Return the page of what somebody wants to be told about."""
    if about == "job":
        return url_for("jobs.show", key=subject)
    if about == "run":
        return url_for("results.show", result_id=subject)
    return url_for("schedules.show", schedule_id=subject)


def _back() -> Response:
    return make_response(redirect(url_for("notifications.show"), HTTPStatus.SEE_OTHER))


def _page(form: AdminForm) -> str:
    user = signed_in_user()
    with reading() as session:
        rules = session.scalars(
            select(NoticeRule).where(NoticeRule.user_id == user.id).order_by(NoticeRule.id.desc())
        ).all()
        deliveries = session.scalars(
            select(Delivery)
            .where(Delivery.user_id == user.id)
            .order_by(Delivery.id.desc())
            .limit(DELIVERIES_SHOWN)
        ).all()
    return render_template(
        "notifications/show.html",
        form=form,
        own=OWN,
        rules=[(rule, when_of(rule.words)) for rule in rules],
        deliveries=deliveries,
    )
