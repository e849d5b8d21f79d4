"""People: who has an account, and what they may do."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

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
from sqlalchemy import delete as delete_rows
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from store import audit
from store.models import Group, Identity, SignInLink, User, UserSession, group_members
from store.notice_settings import is_mail
from store.people import BadUsername, check_username, renew_sessions, sign_in_path
from store.permissions import Forbidden, NotVisible, asker_of
from store.text import clean_text
from webapp.admin_forms import AdminForm, groups_chosen, line
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from webapp.notifications import NOT_A_MAIL
from worker.notice_circle import invite

blueprint = Blueprint("users", __name__, url_prefix="/admin/users")

PAGE_SIZE = 50
LONGEST_DISPLAY_NAME = 255
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
        groups=_groups_of([user.id for user in shown]),
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
    form = _sent()
    form.values["username"] = line(request.form, "username")
    try:
        check_username(db.session(), form.text("username"))
    except BadUsername as error:
        form.refuse("username", str(error))
    if form.errors:
        return make_response(_page(None, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    user = User(username=form.text("username"))
    db.session.add(user)
    _take_over(user, form)
    try:
        db.session.flush()
        _set_groups(user)
        audit.note(db.session(), "user.create", user.username, after=_told(user))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("username", "There is somebody of this name already.")
        return make_response(_page(None, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    if form.values["invite"]:
        return _invited(user)
    flash(f"Made an account for {user.username}. Send them a link to sign in with.")
    return _to(user)


@blueprint.get("/<int(max=2147483647):user_id>")
def show(user_id: int) -> str:
    user = _find(user_id)
    require("view", user)
    own = set(db.session.scalars(select(group_members.c.group_id).where(group_members.c.user_id == user.id)))
    values: dict[str, Any] = {
        "display_name": user.display_name,
        "mail": user.mail,
        "active": user.active,
        "superuser": user.superuser,
        "groups": own,
    }
    return _page(user, AdminForm(values))


@blueprint.post("/<int(max=2147483647):user_id>")
def change(user_id: int) -> Response:
    user = _changed(user_id)
    form = _sent()
    me = signed_in_user()
    if user.id == me.id and not (form.values["active"] and bool(form.values["superuser"]) == me.superuser):
        form.refuse("active", "You cannot take rights from your own account. Another superuser can.")
    if bool(form.values["superuser"]) != user.superuser and not me.superuser:
        form.refuse("superuser", "Only a superuser may say who is one.")
    if form.errors:
        return make_response(_page(user, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    lost = user.active and not form.values["active"]
    # A link that was made for somebody with other rights must not sign in one with these, nor must a leave to
    # take the account over.
    links_end = lost or bool(form.values["superuser"]) != user.superuser
    before = _told(user)
    _take_over(user, form)
    _set_groups(user)
    renew_sessions(db.session(), [user.id])
    if lost:
        db.session.execute(delete_rows(UserSession).where(UserSession.user_id == user.id))
    if links_end:
        db.session.execute(delete_rows(SignInLink).where(SignInLink.user_id == user.id))
        user.oidc_may_link = False
    audit.note(db.session(), "user.change", user.username, before=before, after=_told(user))
    db.session.commit()
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
    audit.note(db.session(), "user.link", user.username)
    address = request.host_url.rstrip("/") + sign_in_path(db.session(), user)
    return make_response(render_template("admin/link.html", person=user, address=address))


def _invited(user: User) -> Response:
    """Send them a link that signs them in, once."""
    settings = current_app.extensions["errand"].settings
    audit.note(db.session(), "user.link", user.username, after={"mail": user.mail})
    host = settings.notices.url or request.host_url.rstrip("/")
    link = f"{host}{sign_in_path(db.session(), user)}?ask"
    db.session.add(invite(settings, user, link, signed_in_user().username))
    db.session.commit()
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
    require("change", user)
    if user.superuser and not signed_in_user().superuser:
        raise Forbidden("Only a superuser may change the account of one.")
    return user


def _sent() -> AdminForm:
    form = AdminForm(
        {
            "display_name": line(request.form, "display_name"),
            "mail": line(request.form, "mail"),
            "invite": request.form.get("invite") == "true" and _mail_is_sent(),
            "active": request.form.get("active") == "true",
            "superuser": request.form.get("superuser") == "true",
            "groups": {group.id for group in groups_chosen(db.session(), request.form.getlist("groups"))},
        }
    )
    if len(form.text("display_name")) > LONGEST_DISPLAY_NAME:
        form.refuse("display_name", f"Ensure this value has at most {LONGEST_DISPLAY_NAME} characters.")
    if form.text("mail") and not is_mail(form.text("mail")):
        form.refuse("mail", NOT_A_MAIL)
    if form.values["invite"] and not form.text("mail"):
        form.refuse("mail", "A link by mail needs an address.")
    if form.values["superuser"] and not signed_in_user().superuser:
        form.refuse("superuser", "Only a superuser may say who is one.")
    return form


def _told(user: User) -> dict[str, Any]:
    return {
        "display_name": user.display_name,
        "mail": user.mail,
        "active": user.active,
        "superuser": user.superuser,
        "groups": _groups_of([user.id]).get(user.id, []),
    }


def _take_over(user: User, form: AdminForm) -> None:
    user.display_name, user.mail = form.text("display_name"), form.text("mail")
    user.active, user.superuser = form.values["active"], form.values["superuser"]


def _set_groups(user: User) -> None:
    chosen = {
        group.id
        for group in groups_chosen(db.session(), request.form.getlist("groups"))
        if not group.everyone
    }
    db.session.execute(delete_rows(group_members).where(group_members.c.user_id == user.id))
    for group_id in sorted(chosen):
        db.session.execute(group_members.insert().values(group_id=group_id, user_id=user.id))


def _groups_of(user_ids: list[int]) -> dict[int, list[str]]:
    query = (
        select(group_members.c.user_id, Group.name)
        .join(Group, Group.id == group_members.c.group_id)
        .where(group_members.c.user_id.in_(user_ids))
        .order_by(Group.name)
    )
    found: dict[int, list[str]] = {}
    for user_id, name in db.session.execute(query):
        found.setdefault(user_id, []).append(name)
    return found


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
