"""What permissions cost where there are many: one decision, and the pages that show only what one may see."""

import random
import time
from collections.abc import Iterable, Mapping

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from benchmarks.figures import Figure, percentile
from benchmarks.history import add_jobs, add_results, settle
from benchmarks.site import Site
from benchmarks.web import Web
from store.models import Group, JobRecord, Permission, User, group_members
from store.permissions import decision

USERS, GROUPS, RULES = 1_000, 50, 300
#: In how many groups somebody is.
MEMBERSHIPS = 6

MOST_DECISION_MS = 5.0
MOST_PAGE_MS = 100.0
#: Of all people, who may do something: an administrator's question, and no list.
MOST_ANSWER_MS = 250.0

#: Who asks: somebody with a good part of the rules, and none that gives everything.
SOMEBODY = "person-0500"


def people(site: Site) -> Iterable[Figure]:
    add_jobs(site, site.plan.jobs)
    add_results(site, site.plan.history)
    web = site.start_web()
    _add_people(site)
    yield _decisions(site)
    lists = {
        "jobs that somebody may see": "/jobs/",
        "jobs with a run that somebody may see": "/jobs/?show=running",
        "results that somebody may see": "/results/",
    }
    admin = {
        "list of users": "/admin/users/",
        "list of groups": "/admin/groups/",
        "list of permissions": "/admin/permissions/",
        "audit": "/admin/audit/",
    }
    question = "/admin/permissions/explain?action=run&kind=job&subject=local/area1/Job15"
    web.become(SOMEBODY)
    yield from _pages(web, lists, site.plan.requests)
    web.become()
    yield from _pages(web, admin, site.plan.requests)
    yield from _pages(web, {"who may run a job": question}, site.plan.requests, MOST_ANSWER_MS)


def _add_people(site: Site) -> None:
    dice = random.Random(2)
    with site.platform.session() as db:
        # Nobody may do anything but by the rules that follow.
        for seeded in db.scalars(select(Permission)):
            db.delete(seeded)
        groups = [Group(name=f"Team {number:02d}") for number in range(GROUPS)]
        users = [User(username=f"person-{number:04d}", active=True) for number in range(USERS)]
        db.add_all([*groups, *users])
        db.flush()
        pairs = [
            {"group_id": group.id, "user_id": user.id}
            for user in users
            for group in dice.sample(groups, MEMBERSHIPS)
        ]
        db.execute(insert(group_members), pairs)
        db.add_all(_rule(number, dice, groups) for number in range(RULES))
        db.commit()
    settle(site)


def _rule(number: int, dice: random.Random, groups: list[Group]) -> Permission:
    area = dice.randrange(16)
    jobs = [
        {"grouping": f"Area {area}"},
        {"class_path": f"local/area{area}/*"},
        {"source": "local", "queue": "apart"},
        {"class_path": f"local/area{area}/Job{area * 12}", "data.environment": ["test", "stage"]},
    ]
    results = [{"owner": "me"}, {"grouping": f"Area {area}"}, {"class_path": f"local/area{area}/*"}]
    kind = "job" if number % 2 else "result"
    return Permission(
        name=f"Rule {number}",
        kind=kind,
        actions=["view", "run"] if kind == "job" else ["view"],
        constraints=dice.sample(jobs if kind == "job" else results, 2),
        groups=dice.sample(groups, 3),
    )


def _pages(
    web: Web, paths: Mapping[str, str], requests: int, most_ms: float = MOST_PAGE_MS
) -> Iterable[Figure]:
    answers = web.ask_in_turns(["/healthz", *paths.values()], requests)
    times = {path: [answer.ms for answer in found] for path, found in answers.items()}
    for name, path in paths.items():
        ours = percentile(times[path], 50)
        yield Figure(
            label=f"{name}: p50",
            ours=ours,
            unit="ms",
            bare=percentile(times["/healthz"], 50),
            bare_label="a page of one word",
            must=f"<= {most_ms:g} ms",
            held=ours <= most_ms,
            details={"p95": percentile(times[path], 95)},
        )


def _decisions(site: Site) -> Figure:
    """Ask from nothing: who somebody is, what they may do, and whether that fits."""
    times = []
    with site.platform.reading() as db:
        job_id = db.scalars(select(JobRecord.id).where(JobRecord.grouping == "Area 15").limit(1)).one()
    for _ in range(10 * site.plan.requests):
        with site.platform.reading() as db:
            times.append(_decide(db, job_id))
    slowest = percentile(times, 95)
    return Figure(
        label=f"decision among {USERS:,} people, {GROUPS} groups, {RULES} rules: p95",
        ours=slowest,
        unit="ms",
        must=f"<= {MOST_DECISION_MS:g} ms",
        held=slowest <= MOST_DECISION_MS,
        details={"p50": percentile(times, 50)},
    )


def _decide(db: Session, job_id: object) -> float:
    job = db.get_one(JobRecord, job_id)
    user = db.scalars(select(User).where(User.username == SOMEBODY)).one()
    began = time.perf_counter()
    decision(user, "run", job)
    return 1000 * (time.perf_counter() - began)
