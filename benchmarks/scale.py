"""Whether every page holds with a million results, ten thousand jobs and a million entries in one result."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select

from benchmarks.figures import Figure, WentWrong, percentile
from benchmarks.history import add_audit, add_jobs, add_result, add_results, copy_results, settle
from benchmarks.scale_pages import Known, named_pages, pages_of_the_map
from benchmarks.site import USERNAME, Site
from benchmarks.web import Web
from store.models import Group, JobRecord, JobResult, LogEntry, Permission, Status, User, group_members
from webapp.app import create_app

MOST_MS = 150.0
#: A log of a million entries opens at its end.
MOST_TAIL_MS = 300.0
TAIL = "log: a result, at the tail"

#: The rows that are made one by one; the others are copies of them.
ORIGINALS = 100_000

#: Somebody whom a few rules give parts of it all.
SOMEBODY = "somebody"
RULES = 10


def scale(site: Site) -> Iterable[Figure]:
    known = _fill(site)
    web = site.start_web()
    web.take_token(USERNAME)
    paths = {**pages_of_the_map(create_app(site.settings).url_map, known), **named_pages(known)}
    yield from _figures(web, paths, site.plan.scale_requests)
    yield from _polls(web, _poll_of(web, known.running_id), site.plan.scale_requests)
    web.become(SOMEBODY)
    web.take_token(SOMEBODY)
    theirs = {f"{name}, with {RULES} rules": path for name, path in _of_somebody(known).items()}
    yield from _figures(web, theirs, site.plan.scale_requests)


def _fill(site: Site) -> Known:
    plan = site.plan
    add_jobs(site, plan.scale_jobs)
    add_results(site, min(ORIGINALS, plan.scale))
    copy_results(site, plan.scale)
    add_audit(site, plan.scale)
    result_id = add_result(site, "Chatty", plan.scale)
    failed_id = add_result(site, "Chatty", 100, status=Status.FAILED)
    # It logs nothing any more: what polls it gets the longest interval there is.
    running_id = add_result(
        site, "Chatty", ORIGINALS, status=Status.RUNNING, finished_at=None, since=timedelta(minutes=5)
    )
    _add_somebody(site)
    with site.platform.reading() as db:
        job = db.scalars(select(JobRecord).where(JobRecord.class_name == "Chatty")).one()
        middle = db.scalars(
            select(JobResult).order_by(JobResult.created_at).offset(plan.scale // 2).limit(1)
        ).one()
        entry_id = db.scalars(select(LogEntry.id).where(LogEntry.result_id == result_id).limit(1)).one()
        group_id = db.scalars(select(Group.id).where(Group.name == SOMEBODY)).one()
        rule_id = db.scalars(select(Permission.id).limit(1)).one()
    return Known(
        result_id=result_id,
        failed_id=failed_id,
        running_id=running_id,
        job=job.class_path,
        entries=plan.scale,
        older=f"{middle.created_at:%Y%m%dT%H%M%S.%f}_{middle.id.hex}",
        entry_id=entry_id,
        group_id=group_id,
        rule_id=rule_id,
    )


def _add_somebody(site: Site) -> None:
    with site.platform.session() as db:
        # Nobody may do anything but by the rules that follow.
        db.execute(delete(Permission))
        user, group = User(username=SOMEBODY, active=True), Group(name=SOMEBODY)
        db.add_all([user, group])
        db.flush()
        db.execute(insert(group_members), [{"group_id": group.id, "user_id": user.id}])
        db.add_all(_rule(number, group) for number in range(RULES))
        db.commit()
    settle(site)


def _rule(number: int, group: Group) -> Permission:
    kind = "job" if number % 2 else "result"
    constraints: list[dict[str, Any]] = [
        {"grouping": f"Area {number}"},
        {"class_path": f"local/area{number}*"},
        {"owner": "me"} if kind == "result" else {"source": "local", "queue": "apart"},
    ]
    return Permission(
        name=f"Rule {number}", kind=kind, actions=["view"], constraints=constraints, groups=[group]
    )


def _of_somebody(known: Known) -> Mapping[str, str]:
    wanted = ("/jobs/", "/results/", "/jump", "/schedules/", "/api/v1/jobs", "/api/v1/results")
    return {
        **{path: path for path in wanted},
        "jobs: failing": "/jobs/?show=failing",
        "results: failed": "/results/?status=failed",
        "results: older": f"/results/?older={known.older}",
        "results: text": "/results/?q=service+99",
        "jump: one letter": "/jump?q=s",
        "jump: words": "/jump?q=look+after+service+99",
    }


def _figures(web: Web, paths: Mapping[str, str], requests: int) -> Iterable[Figure]:
    for name, path in paths.items():
        answers = web.ask_in_turns(["/healthz", path], requests)
        bare, times = ([answer.ms for answer in answers[asked]] for asked in ("/healthz", path))
        most = MOST_TAIL_MS if name == TAIL else MOST_MS
        ours = percentile(times, 95)
        yield Figure(
            label=f"{name}: p95",
            ours=ours,
            unit="ms",
            bare=percentile(bare, 95),
            bare_label="a page of one word",
            must=f"< {most:g} ms",
            held=ours < most,
            details={"p50": percentile(times, 50), "bare_p50": percentile(bare, 50)},
        )


def _poll_of(web: Web, result_id: UUID) -> str:
    """Return the address that the page of a run polls, once it has been told how often."""
    path, answer = "", web.get(f"/results/{result_id}")
    while found := re.search(r'id="log-poll"[^>]*hx-get="([^"]+)"', answer.body.decode()):
        if unescape(found[1]) == path:
            break
        path = unescape(found[1])
        answer = web.get(path, fragment=True)
    if not path:
        raise WentWrong("The page of a run does not poll.")
    return path


def _polls(web: Web, path: str, requests: int) -> Iterable[Figure]:
    found = [web.get(path, fragment=True) for _ in range(requests)]
    ours, longest = percentile([answer.ms for answer in found], 95), max(len(one.body) for one in found)
    yield Figure(
        label="poll of a log without news: p95",
        ours=ours,
        unit="ms",
        must=f"an empty body, < {MOST_MS:g} ms",
        held=ours < MOST_MS and not longest,
        details={"p50": percentile([answer.ms for answer in found], 50), "longest_bytes": longest},
    )
