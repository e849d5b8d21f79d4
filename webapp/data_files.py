"""Data files: text files that the portal keeps, for many runs to read."""

from http import HTTPStatus

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, or_, select

from jobs.data_files import ENDINGS
from jobs.files import file_name, in_units
from store import data_files
from store.data_files import BadDataFile, left_out
from store.models import DataFile
from store.permissions import visible
from store.text import clean_text
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, current_user, require, signed_in_user, takes_files
from webapp.data_file_facts import find_data_file, require_add, settings, sync, uses_of
from webapp.database import db

blueprint = Blueprint("data_files", __name__, url_prefix="/data-files")

PAGE_SIZE = 50
LAST_PAGE = 100_000
LONGEST_SEARCH = 200

#: Of a content, on its page.
LINES_SHOWN = 50
LONGEST_LINE = 500


@blueprint.get("/")
def index() -> str:
    require("view", DataFile)
    sync()
    search = clean_text(request.args.get("q", "")).strip()[:LONGEST_SEARCH]
    page = min(max(request.args.get("page", 1, type=int), 1), LAST_PAGE)
    query = visible(select(DataFile), current_user(), DataFile)
    for word in search.split():
        found = (DataFile.name, DataFile.description, DataFile.username)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in found)))
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    part = query.order_by(DataFile.name).offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)
    return render_template(
        "data_files/index.html",
        files=db.session.scalars(part).all(),
        q=search,
        total=total,
        page=page,
        more=total > page * PAGE_SIZE,
        may_add=allowed("add", DataFile),
        # What lies in the folder is only of use to those who may change what is there.
        left_out=left_out(settings(), db.engine) if allowed("add", DataFile) and page == 1 else {},
    )


@blueprint.get("/new")
def new() -> str:
    require("add", DataFile)
    return _form(AdminForm())


@blueprint.post("/new")
@takes_files
def create() -> Response:
    require("add", DataFile)
    form = AdminForm({"name": line(request.form, "name")})
    sent = _sent(form)
    if sent is not None:
        content, called = sent
        try:
            name = form.text("name") or called
            require_add(name)
            data_files.add(db.session(), settings(), name, content, signed_in_user())
            flash(f"Uploaded {name}.")
            return _to(name)
        except BadDataFile as error:
            form.refuse(error.field, str(error))
    return make_response(_form(form), HTTPStatus.UNPROCESSABLE_ENTITY)


@blueprint.get("/<name>")
def show(name: str) -> str:
    sync()
    row = find_data_file(name, with_content=True)
    lines = row.content.decode("utf-8-sig", "replace").splitlines()
    return render_template(
        "data_files/show.html",
        file=row,
        lines=[clean_text(line)[:LONGEST_LINE] for line in lines[:LINES_SHOWN]],
        line_count=len(lines),
        uses=uses_of(row),
        may_change=allowed("change", row),
        may_delete=allowed("delete", row),
    )


@blueprint.get("/<name>/content")
def content(name: str) -> Response:
    """Give the file to be saved."""
    sync()
    return send_content(find_data_file(name, with_content=True))


@blueprint.get("/<name>/replace")
def ask_for_content(name: str) -> str:
    row = find_data_file(name)
    require("change", row)
    return _form(AdminForm({"digest": row.digest}), row)


@blueprint.post("/<name>/replace")
@takes_files
def replace(name: str) -> Response:
    row = find_data_file(name)
    require("change", row)
    form = AdminForm({"digest": line(request.form, "digest")})
    sent = _sent(form)
    if sent is not None:
        digest = form.text("digest") or None
        try:
            data_files.replace(db.session(), settings(), row, sent[0], signed_in_user(), digest)
            flash(f"Replaced {name}.")
            return _to(name)
        except BadDataFile as error:
            form.refuse("file", str(error))
    # Whoever sends it again has been told that it is another version by now.
    row = find_data_file(name)
    form.values["digest"] = row.digest
    return make_response(_form(form, row), HTTPStatus.UNPROCESSABLE_ENTITY)


@blueprint.get("/<name>/delete")
def confirm(name: str) -> str:
    row = find_data_file(name)
    require("delete", row)
    return render_template("data_files/delete.html", file=row, uses=uses_of(row))


@blueprint.post("/<name>/delete")
def delete(name: str) -> Response:
    row = find_data_file(name)
    require("delete", row)
    try:
        digest = line(request.form, "digest") or None
        data_files.remove(db.session(), settings(), row, signed_in_user(), digest)
    except BadDataFile as error:
        flash(str(error), "warn")
        return _to(name)
    flash(f"Deleted {name}.")
    return make_response(redirect(url_for("data_files.index"), HTTPStatus.SEE_OTHER))


def send_content(row: DataFile) -> Response:
    """Answer with a file to be saved: what somebody has uploaded is never shown as a page of ours."""
    response = make_response(row.content)
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    response.headers.set("Content-Disposition", "attachment", filename=row.name)
    response.set_etag(row.digest)
    return response


def _sent(form: AdminForm) -> tuple[bytes, str] | None:
    """Return what was uploaded, and what it is called where it comes from; None: the form says what is wrong."""
    given = request.files.get("file")
    if given is None or not given.filename:
        form.refuse("file", "Choose a file.")
        return None
    # One byte more than is taken tells that it is too large.
    return given.stream.read(settings().data_file_bytes + 1), file_name(clean_text(given.filename))


def _form(form: AdminForm, row: DataFile | None = None) -> str:
    return render_template(
        "data_files/edit.html",
        file=row,
        form=form,
        most=in_units(settings().data_file_bytes),
        endings=ENDINGS,
    )


def _to(name: str) -> Response:
    return make_response(redirect(url_for("data_files.show", name=name), HTTPStatus.SEE_OTHER))
