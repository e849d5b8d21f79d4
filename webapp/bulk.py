"""One act for many results, or jobs: what it will do, then doing it in slices, so that no request takes long."""

import base64
import json
import re
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import Select, func, select

from jobs.errors import InvalidData
from store.permissions import NotVisible
from webapp import htmx
from webapp.auth import require, signed_in_user
from webapp.bulk_acts import RESULTS, Act, Kind, attempt, outlook
from webapp.bulk_jobs import JOBS
from webapp.database import db
from webapp.job_key import as_id
from webapp.paging import PAGE_SIZE
from webapp.result_list import MOST_LOOKED_THROUGH
from webapp.saved_filters import list_named

blueprint = Blueprint("bulk", __name__, url_prefix="/<any(jobs,results):of>/bulk")

KINDS = {kind.name: kind for kind in (RESULTS, JOBS)}

#: What one act deals with at most; where more match, those that come first in the list.
MOST_CHOSEN = 10_000

#: What one request does of it, whichever comes first.
SLICE, SLICE_SECONDS = 200, 1.5

MOST_REASONS = 20
KEY = re.compile(r"[0-9a-f]{32}")
UNREADABLE = "This is not as the page sends it. Choose again."


@dataclass(slots=True)
class Progress:
    """How far an act is. All of it is in the page: the server keeps nothing, and each slice asks for permission anew."""

    kind: Kind
    act: Act
    #: Makes a slice that is sent twice count once.
    key: str
    left: list[uuid.UUID]
    done: int
    #: Why others were left alone, and how many.
    refused: Counter[str]

    @property
    def total(self) -> int:
        return self.done + self.refused.total() + len(self.left)

    @property
    def packed(self) -> str:
        return _pack(self.left)


@blueprint.app_template_global("acts_offered")
def acts_offered(of: str) -> list[Act]:
    """Give a list what may be done with its rows, whoever draws it."""
    return KINDS[of].acts_of(signed_in_user())


@blueprint.get("/count")
def count(of: str) -> str:
    """Say how many match the filter, for the choice of all."""
    kind = KINDS[of]
    require("view", kind.model)
    fitting, partly = kind.matching(request.args)
    ids: Select[Any] = fitting.with_only_columns(kind.model.id)
    found = db.session.scalar(select(func.count()).select_from(ids.limit(MOST_CHOSEN + 1).subquery())) or 0
    if found > MOST_CHOSEN:
        return f"All {MOST_CHOSEN:,} {kind.first} that match"
    among = f" among the newest {MOST_LOOKED_THROUGH:,}" if partly else ""
    return f"All {found:,} that match{among}"


@blueprint.get("/")
def confirm(of: str) -> str:
    """Show what the act will do, and to how many, before it is done."""
    kind = KINDS[of]
    act = _act(kind, request.args.get("act", ""))
    more = partly = False
    if whole := "all" in request.args:
        fitting, partly = kind.matching(request.args)
        ids, more = _all_that_match(kind, fitting)
    else:
        given = (as_id(each) for each in request.args.getlist("id")[: 2 * PAGE_SIZE])
        ids = [each for each in given if each is not None]
    found = outlook(kind, act, ids, signed_in_user())
    # Those that wait are taken off the end of the line: no worker starts the next one meanwhile.
    ordered = _in_order(ids, found.ids)
    if act.name == "rerun":
        ordered.reverse()
    progress = Progress(kind, act, secrets.token_hex(16), ordered, 0, Counter())
    return render_template(
        "bulk/confirm.html",
        kind=kind,
        act=act,
        found=found,
        progress=progress,
        asked=list_named(of).read(request.args),
        whole=whole,
        more=more,
        looked_through=MOST_LOOKED_THROUGH if partly else 0,
        most=MOST_CHOSEN,
    )


@blueprint.post("/")
def go_on(of: str) -> str:
    """Do a slice of it, and show how far it is."""
    progress = _read(KINDS[of])
    _do_some(progress)
    shape = "bulk/_progress.html" if htmx.wants_fragment() else "bulk/progress.html"
    return render_template(
        shape,
        progress=progress,
        kind=progress.kind,
        act=progress.act,
        asked=list_named(of).read(request.form),
        person=signed_in_user().username,
    )


def _do_some(progress: Progress) -> None:
    user, until = signed_in_user(), time.monotonic() + SLICE_SECONDS
    kind = progress.kind
    for key in progress.left[:SLICE]:
        row = db.session.scalars(kind.seen(user).where(kind.model.id == key)).one_or_none()
        made, refusal = attempt(kind, progress.act, row, user, f"bulk-{progress.key}-{key.hex}")
        progress.left.remove(key)
        if made:
            progress.done += 1
        else:
            known = refusal in progress.refused or len(progress.refused) < MOST_REASONS
            progress.refused[refusal if known else "Other reasons."] += 1
        if time.monotonic() > until:
            break


def _act(kind: Kind, name: str) -> Act:
    act = kind.acts.get(name)
    if act is None:
        raise NotVisible
    require("view", kind.model)
    require(*act.asked)
    return act


def _all_that_match(kind: Kind, query: Select[Any]) -> tuple[list[uuid.UUID], bool]:
    """Return the first of them, as many as one act takes, and whether there are more."""
    ordered = query.with_only_columns(kind.model.id).order_by(*kind.order)
    ids: Sequence[Any] = db.session.scalars(ordered.limit(MOST_CHOSEN + 1)).all()
    return list(ids[:MOST_CHOSEN]), len(ids) > MOST_CHOSEN


def _in_order(ids: Sequence[uuid.UUID], some: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    taken = set(some)
    return [each for each in dict.fromkeys(ids) if each in taken]


def _read(kind: Kind) -> Progress:
    """Read what the page carries. Raises InvalidData."""
    form = request.form
    act = _act(kind, form.get("act", ""))
    try:
        refused = Counter(
            {str(why): int(number) for why, number in json.loads(form.get("refused") or "{}").items()}
        )
        left, done = _unpack(form.get("left", "")), int(form.get("done") or 0)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidData([UNREADABLE]) from None
    key = form.get("key", "")
    if not KEY.fullmatch(key) or len(left) > MOST_CHOSEN:
        raise InvalidData([UNREADABLE])
    return Progress(kind, act, key, left, done, refused)


def _pack(ids: Sequence[uuid.UUID]) -> str:
    return base64.urlsafe_b64encode(b"".join(each.bytes for each in ids)).decode()


def _unpack(packed: str) -> list[uuid.UUID]:
    raw = base64.b64decode(packed.encode(), altchars=b"-_", validate=True)
    return [uuid.UUID(bytes=raw[start : start + 16]) for start in range(0, len(raw), 16)]
