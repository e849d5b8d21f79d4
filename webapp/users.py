"""People: who has an account, and what they may do."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import or_, select

from jobs.errors import InvalidData
from store.models import Group, Identity, User
from store.permissions import NotVisible, asker_of
from store.text import clean_text
from webapp.admin_forms import AdminForm, groups_chosen, line
from webapp.auth import allowed, require, signed_in_user
from webapp.confirming import require_confirmed
from webapp.database import db
from webapp.user_form import groups_of, make_link, require_change, save, send_link, values_of

blueprint = Blueprint("users", __name__, url_prefix="/admin/users")

PAGE_SIZE = 50
LONGEST_SEARCH = 100


@blueprint.get("/")
def index() -> str:
    require("view", User)
    q = clean_text(request.args.get("q", "")).strip()[:LONGEST_SEARCH]
    after = clean_text(request.args.get("after", ""))
    query = select(User).where(User.username > after).order_by(User.username).limit(PAGE_SIZE + 1)
    if q:
        query = query.where(
            or_(User.username.icontains(q, autoescape=True), User.display_name.icontains(q, autoescape=True))
        )
    users = db.session.scalars(query).all()
    shown = users[:PAGE_SIZE]
    return render_template(
        "admin/users.html",
        users=shown,
        groups=groups_of(db.session(), [user.id for user in shown]),
        q=q,
        after=after,
        more=shown[-1].username if len(users) > PAGE_SIZE else "",
        may_change=allowed("change", User),
    )


@blueprint.get("/new")
def new() -> str:
    require("change", User)
    return _page(None, AdminForm({"active": True, "groups": set()}))


@blueprint.post("/new")
def create() -> Response:
    require("change", User)
    require_confirmed()
    form = _sent()
    form.values["username"] = line(request.form, "username")
    try:
        user = save(db.session(), form, None, signed_in_user())
    except InvalidData:
        return make_response(_page(None, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if form.values["invite"]:
        return _invited(user)
    flash(f"Made an account for {user.username}. Send them a link to sign in with.")
    return _to(user)


@blueprint.get("/<int(max=2147483647):user_id>")
def show(user_id: int) -> str:
    user = _find(user_id)
    require("view", user)
    return _page(user, AdminForm(values_of(db.session(), user)))


@blueprint.post("/<int(max=2147483647):user_id>")
def change(user_id: int) -> Response:
    user = _changed(user_id)
    form = _sent()
    try:
        save(db.session(), form, user, signed_in_user())
    except InvalidData:
        return make_response(_page(user, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved {user.username}.")
    return _to(user)


@blueprint.post("/<int(max=2147483647):user_id>/link")
def link(user_id: int) -> Response:
    """Make a link that signs them in, once. It is sent by mail, or shown this one time."""
    user = _changed(user_id)
    if not user.active:
        flash(f"{user.username} is not active: nobody can sign in as them.", "warn")
        return _to(user)
    if request.form.get("send") == "mail" and _can_mail(user):
        return _invited(user)
    address = request.url_root.rstrip("/") + make_link(db.session(), user)
    return make_response(render_template("admin/link.html", person=user, address=address))


def _invited(user: User) -> Response:
    """Send them a link that signs them in, once."""
    settings = current_app.extensions["errand"].settings
    send_link(db.session(), settings, user, by=signed_in_user(), host=request.url_root)
    flash(f"A link to sign in with is on its way to {user.mail}.")
    return _to(user)


def _can_mail(user: User) -> bool:
    return bool(user.mail) and _mail_is_sent()


def _mail_is_sent() -> bool:
    return current_app.extensions["errand"].settings.notices.mail is not None


def _find(user_id: int) -> User:
    user: User | None = db.session.get(User, user_id)
    if user is None:
        raise NotVisible
    return user


def _changed(user_id: int) -> User:
    user = _find(user_id)
    require_change(signed_in_user(), user)
    require_confirmed()
    return user


def _sent() -> AdminForm:
    return AdminForm(
        {
            "display_name": line(request.form, "display_name"),
            "mail": line(request.form, "mail"),
            "invite": request.form.get("invite") == "true" and _mail_is_sent(),
            "active": request.form.get("active") == "true",
            "superuser": request.form.get("superuser") == "true",
            "groups": {group.id for group in groups_chosen(db.session(), request.form.getlist("groups"))},
        }
    )


def _identities_of(user: User) -> Sequence[Identity]:
    return db.session.scalars(select(Identity).where(Identity.user_id == user.id).order_by(Identity.id)).all()


def _to(user: User) -> Response:
    return make_response(redirect(url_for("users.show", user_id=user.id), HTTPStatus.SEE_OTHER))


def _page(user: User | None, form: AdminForm) -> str:
    asker = asker_of(user)
    return render_template(
        "admin/user.html",
        person=user,
        form=form,
        choices=[
            (group.id, group.name)
            for group in db.session.scalars(select(Group).where(~Group.everyone).order_by(Group.name))
        ],
        grants=asker.grants if asker else (),
        identities=_identities_of(user) if user else (),
        oidc=current_app.extensions["errand"].settings.oidc,
        may_change=allowed("change", user or User),
    )
