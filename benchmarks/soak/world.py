"""One of everything that a portal may have, there again before each made-up request: whatever the one before did to it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, and_, delete, insert, select, update
from sqlalchemy.orm import Session

from benchmarks.site import USERNAME, Site
from store.data import Data
from store.data_files import BadDataFile, Folder, sync
from store.lockbox import lock
from store.models import (
    ApiToken,
    Approval,
    Base,
    Button,
    Chain,
    Channel,
    Delivery,
    GitSource,
    Group,
    Hook,
    Identity,
    JobRecord,
    JobResult,
    JobValue,
    NoticeRule,
    Permission,
    SavedFilter,
    Schedule,
    Suppression,
    User,
    Webhook,
    WebhookDelivery,
    now,
)
from store.timing.recurrence import Recurrence
from store.timing.saved import keep_times
from worker.approvals import ask, digests

FILE = "soak.lst"
SOURCE = "soak"
QUEUE = "default"
KEY = "soaked"
OF_SOAK = UUID(int=5)

#: What only grows, or is whoever asks.
LEFT_ALONE = frozenset(
    {
        "audit_records",
        "user_sessions",
        "sign_in_failures",
        "search_places",
        "search_removals",
        "queue_samples",
    }
)

Row = dict[str, Any]
Key = tuple[Any, ...]


class World:
    """On a site that has the plugin `examples.inventory`. Whoever asks is to be there, with tokens, before it is made."""

    def __init__(self, site: Site) -> None:
        self._site = site
        _make_object(site)
        self._folder = Folder(site.settings)
        self._folder.write(FILE, b"a\n", new=True)
        sync(site.settings, site.platform.engine)
        given = {"host": "h", "region": "", "tier": "a"}
        ended, waits, runs = (site.submit("NoOp", queue="apart") for _ in range(3))
        with site.platform.session() as db:
            #: {name in an address: what stands for it there}; by the beginning of the address, where it is not the same all over.
            self.values: dict[str | tuple[str, str], Any] = self._made(db, given, ended, waits, runs)
            db.commit()
        self._tables = [table for table in Base.metadata.sorted_tables if table.name not in LEFT_ALONE]
        with site.platform.reading() as db:
            self._rows = {table: _by_key(db, table) for table in self._tables}

    def _made(
        self, db: Session, given: Mapping[str, Any], ended: UUID, waits: UUID, runs: UUID
    ) -> dict[str | tuple[str, str], Any]:
        job = db.scalars(select(JobRecord).where(JobRecord.class_name == "TwelveInputs")).one()
        noop = db.scalars(select(JobRecord).where(JobRecord.class_name == "NoOp")).one()
        person = db.scalars(select(User).where(User.username == USERNAME)).one()
        other = User(username="soaked", active=True)
        about: dict[str, Any] = {"job_id": noop.id, "class_path": noop.class_path, "username": USERNAME}
        schedule = Schedule(id=OF_SOAK, name="Soaked", user_id=person.id, enabled=True, problem="", **about)
        keep_times(schedule, Recurrence("hourly", now() + timedelta(days=1)))
        box = lock(self._site.settings.secret_key, {"secret": "x", "url": "https://127.0.0.1/"})
        things: list[Any] = [
            other,
            schedule,
            Hook(id=OF_SOAK, name="Soaked", object_types=["inventory.site"], on_create=True, job_id=noop.id),
            Button(id=OF_SOAK, name="Soaked", object_types=["inventory.site"], text="Press", job_id=noop.id),
            Chain(id=OF_SOAK, name="Soaked", job_id=noop.id, next_job_id=job.id),
            Webhook(id=OF_SOAK, name="Soaked", job_id=noop.id, username=USERNAME, user_id=person.id, box=box),
            Group(name="Soaked", members=[other]),
            Permission(name="Soaked", kind="job", actions=["view"], users=[other]),
            Channel(name="soaked", kind="webhook", box=box),
            SavedFilter(user_id=person.id, name="soaked", arguments={}),
            NoticeRule(
                user_id=person.id, about="job", subject=noop.class_path, ways=["browser"], words=["failed"]
            ),
            Suppression(job_id=job.id, starts_at=now(), ends_at=now() + timedelta(days=9), username=USERNAME),
            ApiToken(user_id=person.id, prefix="soaked", token_hash="s" * 64),
            Identity(user_id=person.id, issuer="https://id.example.org", subject="soaked"),
            GitSource(slug=SOURCE, url="https://127.0.0.1/jobs.git"),
            JobValue(class_path=job.class_path, key=KEY, value=1),
            Delivery(
                event="ended",
                event_key="x",
                target="mail:1",
                via="mail",
                receiver="x",
                title="x",
                state="failed",
                user_id=person.id,
            ),
        ]
        db.add_all(things)
        db.flush()
        came = WebhookDelivery(webhook_id=OF_SOAK, outcome="unsigned", status=401)
        db.add(came)
        db.add(Approval(schedule_id=OF_SOAK, asked=digests(schedule, noop)))
        row = db.get_one(JobResult, ended)
        row.status, row.finished_at = "completed", now()
        row = db.get_one(JobResult, waits)
        # Nobody decides on what they asked for themselves.
        row.user_id, row.username = other.id, other.username
        ask(db, row, noop)
        row = db.get_one(JobResult, runs)
        row.status, row.started_at, row.worker = "running", now(), "w-1"
        db.flush()
        ids = {type(thing): thing.id for thing in things if hasattr(thing, "id")}
        return {
            ("/approvals/", "result_id"): waits,
            ("/api/v1/approvals/", "result_id"): waits,
            ("/api/v1/results/{result_id}/cancel", "result_id"): runs,
            "reference": job.class_path,
            ("/api/v1/jobs/", "key"): KEY,
            ("/api/v1/objects/", "key"): 1,
            ("/api/v1/deliveries/", "key"): ids[Delivery],
            ("/api/v1/data-files/", "name"): FILE,
            ("/api/v1/sources/", "name"): f"git.{SOURCE}",
            ("/api/v1/jobs/{reference}/suppressions/", "key"): ids[Suppression],
            ("/api/v1/me/tokens/", "key"): ids[ApiToken],
            ("/api/v1/users/", "key"): other.id,
            ("/api/v1/groups/", "key"): ids[Group],
            ("/api/v1/permissions/", "key"): ids[Permission],
            ("/api/v1/channels/", "key"): ids[Channel],
            ("/api/v1/me/notice-rules/", "key"): ids[NoticeRule],
            ("/results/<uuid:result_id>/cancel", "result_id"): runs,
            "result_id": ended,
            **dict.fromkeys(("schedule_id", "hook_id", "button_id", "chain_id", "webhook_id"), OF_SOAK),
            "user_id": other.id,
            ("/admin/users/<int(max=2147483647):user_id>/identities", "user_id"): person.id,
            "group_id": ids[Group],
            "permission_id": ids[Permission],
            "channel_id": ids[Channel],
            "filter_id": ids[SavedFilter],
            "rule_id": ids[NoticeRule],
            "token_id": ids[ApiToken],
            "identity_id": ids[Identity],
            ("/jobs/", "number"): ids[Suppression],
            ("/admin/webhooks/", "number"): came.id,
            "number": ids[Delivery],
            "slug": SOURCE,
            "key": job.class_path,
            ("/objects/", "key"): 1,
            "model": "inventory.site",
            ("/data-files/", "name"): FILE,
            "name": QUEUE,
        }

    def value(self, address: str, name: str) -> Any:
        """Return what stands for a name in an address, the longest beginning first; None where that is of no matter."""
        for beginning, of in sorted(
            (key for key in self.values if isinstance(key, tuple)), key=lambda key: -len(key[0])
        ):
            if of == name and address.startswith(beginning):
                return self.values[beginning, of]
        return self.values.get(name)

    def restore(self) -> None:
        """Make all of it as it was, and nothing else."""
        with self._site.platform.session() as db:
            found = {table: _by_key(db, table) for table in self._tables}
            changed = [table for table in self._tables if found[table] != self._rows[table]]
            for table in reversed(changed):
                for key in found[table].keys() - self._rows[table].keys():
                    _drop(db, table, key)
            # Something else may have gone with what was dropped.
            for table in self._tables if changed else ():
                there = _by_key(db, table)
                for key, row in self._rows[table].items():
                    if there.get(key) != row:
                        _put(db, table, key, row, there=key in there)
            db.commit()
        with suppress(BadDataFile):  # It is there.
            self._folder.write(FILE, b"a\n", new=True)


def _make_object(site: Site) -> None:
    from examples.inventory.models import Site as Place
    from examples.inventory.models import Status

    data = Data(site.settings.data_database_url)
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        active = Status(name="Active", slug="active")
        active.save()
        Place(name="Bern", slug="bern", status=active).save()
        session.commit()
    data.dispose()


def _by_key(db: Session, table: Table) -> dict[Key, Row]:
    columns = [column.name for column in _key_columns(table)]
    rows = (dict(row) for row in db.execute(select(table)).mappings())
    return {tuple(row[name] for name in columns): row for row in rows}


def _key_columns(table: Table) -> list[Column[Any]]:
    return list(table.primary_key) or list(table.columns)


def _is(table: Table, key: Key) -> Any:
    return and_(*[column == value for column, value in zip(_key_columns(table), key, strict=True)])


def _drop(db: Session, table: Table, key: Key) -> None:
    db.execute(delete(table).where(_is(table, key)))


def _put(db: Session, table: Table, key: Key, row: Row, *, there: bool) -> None:
    if there and table is JobResult.__table__:
        # The database lets nobody change one that has ended.
        _drop(db, table, key)
        there = False
    if there:
        db.execute(update(table).where(_is(table, key)).values(row))
    else:
        db.execute(insert(table).values(row))
