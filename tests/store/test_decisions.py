"""The pure function that decides, and that a database asked the same answers the same."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from store.decisions import Asker, BadPermission, Facts, Grant, check, decide, matches
from store.models import Group, JobRecord, JobResult, Permission, User, now
from store.permissions import EVERYONE, allowed, asker_of, decision, may_approve, visible
from store.platform import Platform


def grant(
    kind: str = "job", actions: tuple[str, ...] = ("view", "run"), *constraints: dict[str, Any], **facts: Any
) -> Grant:
    return Grant(facts.pop("id", 1), facts.pop("name", "P"), kind, frozenset(actions), constraints, **facts)


def asker(*grants: Grant, **facts: Any) -> Asker:
    return Asker("alice", grants=grants, **facts)


def job(**values: Any) -> Facts:
    return Facts(
        "job",
        {
            "source": "local",
            "grouping": "Network",
            "class_path": "local/net/Ping",
            "queue": ("default", "gpu"),
            "enabled": True,
            **values,
        },
    )


# --- What fits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        ({"source": "local"}, True),
        ({"source": "plugins"}, False),
        ({"source": "LOCAL"}, False),
        ({"source": ["plugins", "local"]}, True),
        ({"class_path": "local/net/*"}, True),
        ({"class_path": "local/*/Ping"}, True),
        ({"class_path": "local/n?t/*"}, False),
        ({"class_path": "local/net"}, False),
        ({"source": "local", "grouping": "Backup"}, False),
        ({"queue": "gpu"}, True),
        ({"queue": "bulk"}, False),
        ({"enabled": True}, True),
        ({"data.environment": "test"}, True),
    ],
)
def test_a_constraint_fits_or_not(constraint: dict[str, Any], fits: bool):
    assert decide(asker(grant("job", ("view",), constraint)), "view", job()).allowed is fits


def test_inputs_count_once_they_are_known():
    limited = asker(grant("job", ("run",), {"data.environment": ["test", "stage"], "data.count": 3}))
    for data, may in [
        (None, True),
        ({"environment": "test", "count": 3}, True),
        ({"environment": "prod", "count": 3}, False),
        ({"environment": "test", "count": 4}, False),
        ({"environment": "test"}, False),
        ({"environment": ["test"], "count": 3}, False),
    ]:
        assert decide(limited, "run", Facts("job", job().values, data)).allowed is may, data


def test_me_is_who_asks():
    own = asker(grant("result", ("change",), {"owner": "me"}))
    assert decide(own, "change", Facts("result", {"owner": "alice"})).allowed
    assert not decide(own, "change", Facts("result", {"owner": "bob"})).allowed
    # A person may be called so.
    assert not decide(own, "change", Facts("result", {"owner": "me"})).allowed


# --- What is said -----------------------------------------------------------------------------------------------


def test_a_decision_says_why():
    network = grant(
        "job", ("view", "run"), {"grouping": "Network"}, id=1, name="Network jobs", group="Operators"
    )
    backup = grant("job", ("run",), {"grouping": "Backup", "source": "local"}, id=2, name="Backups")
    assert (network.text, backup.text) == (
        "see and run jobs where grouping is Network",
        "run jobs where grouping is Backup and source is local",
    )
    yes = decide(asker(network, backup), "run", job())
    assert (yes.allowed, yes.reason) == (
        True,
        "The permission Network jobs of the group Operators allows it.",
    )
    assert [(step.grant.id, step.fits, step.why_not) for step in yes.steps] == [
        (1, True, ""),
        (2, False, "grouping is Network, not Backup"),
    ]
    no = decide(asker(backup), "run", job())
    assert (no.allowed, no.reason) == (False, "No permission by which alice may run jobs fits this one.")
    none = decide(asker(), "run", job())
    assert (none.allowed, none.reason) == (False, "There is no permission by which alice may run jobs.")
    assert "superuser" in decide(asker(superuser=True), "delete", job()).reason


# --- What must always hold --------------------------------------------------------------------------------------

WORDS = st.sampled_from(["local", "plugins", "Network", "Backup", "default", "gpu"])
CONSTRAINTS = st.lists(
    st.dictionaries(st.sampled_from(["source", "grouping", "queue"]), WORDS, min_size=1), max_size=2
)
GRANTS = st.lists(
    st.builds(
        lambda kind, actions, constraints: grant(kind, tuple(actions), *constraints),
        st.sampled_from(["job", "result"]),
        st.sets(st.sampled_from(["view", "change", "delete"]), min_size=1),
        CONSTRAINTS,
    ),
    max_size=4,
)
ACTIONS = st.sampled_from(["view", "change", "delete"])
FACTS = st.builds(
    lambda kind, source, grouping, queue: Facts(
        kind, {"source": source, "grouping": grouping, "queue": queue}
    ),
    st.sampled_from(["job", "result"]),
    WORDS,
    WORDS,
    WORDS,
)


@given(GRANTS, ACTIONS, FACTS)
def test_nobody_gets_anything_without_a_fitting_grant(grants: list[Grant], action: str, facts: Facts):
    decided = decide(asker(*grants), action, facts)
    assert decided.allowed is any(step.fits for step in decided.steps)
    assert all(step.grant.kind == facts.kind and action in step.grant.actions for step in decided.steps)
    assert all(bool(step.why_not) is not step.fits for step in decided.steps)


@given(GRANTS, GRANTS, ACTIONS, FACTS)
def test_one_more_grant_takes_nothing_away(grants: list[Grant], more: list[Grant], action: str, facts: Facts):
    before = decide(asker(*grants), action, facts).allowed
    assert decide(asker(*grants, *more), action, facts).allowed >= before


@given(GRANTS, ACTIONS, FACTS, st.randoms(use_true_random=False))
def test_their_order_means_nothing(grants: list[Grant], action: str, facts: Facts, chance: random.Random):
    before = decide(asker(*grants), action, facts).allowed
    chance.shuffle(grants)
    assert decide(asker(*grants), action, facts).allowed is before


@given(GRANTS, ACTIONS, FACTS)
def test_who_is_not_active_may_do_nothing(grants: list[Grant], action: str, facts: Facts):
    assert not decide(asker(*grants, active=False), action, facts).allowed
    assert not decide(asker(*grants, active=False, superuser=True), action, facts).allowed


# --- What cannot be meant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted", "fits"),
    [
        ("abc", "abc", True),
        ("abc", "a*", True),
        ("abc", "*b*", True),
        ("abc", "a*b", False),
        ("aa", "a*a", True),
        ("a", "a*a", False),
        ("abab", "a*b*b", True),
        ("", "*", True),
        ("", "", True),
        ("a\nb", "a*b", True),
        ("axbxc", "a*b*c*", True),
        ("ab", "*c*", False),
    ],
)
def test_a_star_stands_for_anything(text: str, wanted: str, fits: bool):
    assert matches(text, wanted) is fits


def test_no_pattern_takes_long():
    # With a regular expression this would take for ever.
    assert not matches("a" * 100_000, "*a" * 200 + "*b*")
    assert not matches("local/networkers/PingAllOfThem" * 10, "*" * 300 + "Z *")


@pytest.mark.parametrize(
    "constraint",
    [
        {"enabled": "true"},
        {"enabled": 1},
        {"grouping": True},
        {"grouping": "\ud800"},
        {"grouping": "a\x00"},
        {"grouping": "x" * 401},
        {"grouping": ["x"] * 101},
        {"data.x": float("nan")},
        {"data.x": 2**60},
        {"data.ümlaut": 1},
    ],
)
def test_values_that_databases_would_choke_on_are_refused(constraint: dict[str, Any]):
    with pytest.raises(BadPermission):
        check("job", ["view"], [constraint])
    with pytest.raises(BadPermission, match="at most 50 conditions"):
        check("job", ["view"], [{"grouping": "x"}] * 51)


def test_many_permissions_make_no_query_that_is_too_deep(db: Session):
    alice = User(username="alice", active=True)
    where = [{"grouping": [f"g{number}-{part}" for part in range(90)]} for number in range(50)]
    db.add(alice)
    db.add_all(
        [
            Permission(name=f"p{n}", kind="job", actions=["view"], constraints=where, users=[alice])
            for n in range(3)
        ]
    )
    db.commit()
    assert db.scalars(visible(select(JobRecord), alice, JobRecord)).all() == []


@pytest.mark.parametrize(
    ("kind", "actions", "constraints", "where", "sentence"),
    [
        ("jobs", ["view"], [], "kind", "Choose from: job, result"),
        ("job", ["cancel"], [], "actions", "Choose from: view, run, approve, change, delete"),
        ("job", [], [], "actions", "Choose from"),
        ("job", ["view"], {"source": "local"}, "constraints", "Write a list of conditions"),
        ("job", ["view"], [{}], "constraints", "each with at least one key"),
        ("job", ["view"], [{"owner": "me"}], "constraints", "There is no 'owner' of jobs. Keys are: source"),
        ("worker", ["view"], [{"queue": "x"}], "constraints", "Keys are: none"),
        ("job", ["view"], [{"source": None}], "constraints", "source must be a text"),
        ("job", ["view"], [{"source": []}], "constraints", "source must be one value"),
        ("job", ["view"], [{"data.": 1}], "constraints", "There is no 'data.'"),
        ("job", ["view"], [{"data.a b": 1}], "constraints", "There is no 'data.a b'"),
        ("job", ["view"], [{"queue": "g*"}], "constraints", "queue takes no *"),
    ],
)
def test_what_means_nothing_is_refused_where_it_stands(
    kind: str, actions: list[str], constraints: Any, where: str, sentence: str
):
    with pytest.raises(BadPermission) as refusal:
        check(kind, actions, constraints)
    assert sentence in refusal.value.errors[where]


def test_what_everybody_may_from_the_first_day_can_be_meant():
    for _, kind, actions, constraints in EVERYONE:
        check(kind, actions, list(constraints))


# --- The same, asked of a database ------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def db(request: pytest.FixtureRequest, settings: Any) -> Any:
    if request.param == "sqlite":
        yield from _session(settings.database_url)
        return
    url = make_url(request.getfixturevalue("postgres_copy"))
    yield from _session(url.set(drivername="postgresql+psycopg").render_as_string(False))


def _session(url: str) -> Any:
    platform = Platform(url)
    with platform.session() as db:
        yield db
    platform.dispose()


def test_the_first_day_is_the_same_in_code_and_in_the_database(db: Session):
    alice = User(username="alice", active=True)
    db.add(alice)
    db.commit()
    in_database = {
        (each.name, each.kind, each.actions, str(each.constraints)) for each in asker_of(alice).grants
    }
    in_code = {
        (name, kind, frozenset(actions), str(tuple(constraints)))
        for name, kind, actions, constraints in EVERYONE
    }
    assert in_database == in_code


def test_lists_show_what_may_be_seen_and_nothing_else(db: Session):
    chance = random.Random(20261128)
    alice, jobs, results = _given(db, chance)
    seen = set()
    for number in range(60):
        _permit(db, chance, alice, number)
        asking = db.get(User, alice.id)
        for model, rows in ((JobRecord, jobs), (JobResult, results)):
            listed = {row.id for row in db.scalars(visible(select(model), asking, model))}
            assert listed == {row.id for row in rows if allowed(asking, "view", row)}, asker_of(asking).grants
            seen.add(0 < len(listed) < len(rows))
    assert seen == {True, False}


def test_what_may_be_approved_is_the_same_of_one_and_of_all(db: Session):
    chance = random.Random(20261130)
    alice, jobs, results = _given(db, chance)
    seen = set()
    for number in range(60):
        _permit(db, chance, alice, number, "approve")
        asking = db.get(User, alice.id)
        job = select(JobRecord.id).where(JobRecord.id == JobResult.job_id, may_approve(asking, JobResult))
        listed = set(db.scalars(select(JobResult.id).where(job.exists())))
        by_id = {each.id: each for each in jobs}
        one_by_one = {
            row.id
            for row in results
            if row.job_id is not None
            and allowed(asking, "approve", by_id[row.job_id], data=row.data or {}, queue=row.queue)
        }
        assert listed == one_by_one, asker_of(asking).grants
        seen.add(0 < len(listed) < len(results))
    assert seen == {True, False}


def _given(db: Session, chance: random.Random) -> tuple[User, list[JobRecord], list[JobResult]]:
    alice, bob = (User(username=name, active=True) for name in ("alice", "bob"))
    db.add_all([alice, bob])
    db.commit()
    jobs = [_job(chance, number) for number in range(40)]
    db.add_all(jobs)
    db.commit()
    results = [_result(chance, [alice, bob], jobs) for _ in range(60)]
    db.add_all(results)
    db.commit()
    return alice, jobs, results


def _job(chance: random.Random, number: int) -> JobRecord:
    source = chance.choice(["local", "plugins", "LOCAL"])
    return JobRecord(
        class_path=f"{source}/m_{number % 3}/Job[{number}]",
        source=source,
        module=f"m_{number % 3}",
        class_name=f"Job{number}",
        name=f"Job {number}",
        grouping=chance.choice(["Net%work", "Net_work", "Backup", "net%work", 'Q"uo?te']),
        queues=chance.choice([[], ["default"], ["gpu", "default"], ["gpu"], ["g_u"], ['q"ü', "x"]]),
        enabled=chance.random() < 0.7,
        hidden=chance.random() < 0.3,
        refreshed_at=now(),
    )


DATA_OF_RUNS: list[dict[str, Any]] = [
    {"env": each, "n": other, "on": third}
    for each, other, third in [
        ("true", 1, 1),
        ("1", True, "true"),
        (["test"], "5", 0),
        ({"test": 1}, 5.0, False),
        (None, 1e20, "false"),
        ("", 2**53, None),
        ("te%st", -0.5, True),
        ("tests", 0, ["on"]),
    ]
]


def _result(chance: random.Random, users: list[User], jobs: list[JobRecord]) -> JobResult:
    job, user = chance.choice(jobs), chance.choice([*users, None])
    gone = chance.random() < 0.2
    return JobResult(
        job_id=None if gone else job.id,
        class_path=job.class_path,
        name=job.name,
        username=user.username if user else "alice",
        user_id=user.id if user else None,
        status="completed",
        queue=chance.choice(["default", "gpu", "g_u"]),
        time_limit=600.0,
        data=chance.choice(DATA_OF_RUNS)
        if chance.random() < 0.7
        else chance.choice(
            [
                {},
                {"env": "test"},
                {"env": "prod", "n": 5},
                {"n": 5, "on": True},
                {"on": False, "env": ["test"]},
            ]
        ),
        created_at=now(),
    )


def _permit(db: Session, chance: random.Random, user: User, number: int, action: str = "view") -> None:
    for old in db.scalars(select(Permission)):
        db.delete(old)
    for part in range(chance.randint(0, 3)):
        kind = chance.choice(["job", "result"]) if action == "view" else "job"
        permission = Permission(
            name=f"{number}-{part}",
            kind=kind,
            actions=[action],
            constraints=[_constraint(chance, kind) for _ in range(chance.randint(0, 2))],
            enabled=chance.random() < 0.9,
        )
        check(kind, permission.actions, permission.constraints)
        if chance.random() < 0.5:
            permission.users = [user]
        else:
            permission.groups = [
                Group(name=f"g {number}-{part}", members=[user] if chance.random() < 0.8 else [])
            ]
        db.add(permission)
    db.commit()
    db.expire_all()
    user.__dict__.pop("_asker", None)


def _constraint(chance: random.Random, kind: str) -> dict[str, Any]:
    values: dict[str, list[Any]] = {
        "source": ["local", "LOCAL", "l*", "l*l", "local/m_1", "*", ["plugins", "local"]],
        "grouping": ["Net%work", "Net_work", "Net*", "*work", 'Q"uo?te', "Q*?te"],
        "class_path": ["local/*", "*/m_1/*", "plugins/m_2/Job[5]", "*[1*"],
        "queue": ["default", "gpu", "g_u", "GPU", ", ", 'q"ü'],
    }
    if kind == "job":
        values |= {"enabled": [True, False], "hidden": [True, False], "data.env": ["test"], "data.n": [5]}
    else:
        values |= {
            "owner": ["me", "bob", "*"],
            "data.env": ["test", "pro*"],
            "data.n": [5],
            "data.on": [True, False],
        }
    keys = chance.sample(sorted(values), chance.randint(1, 2))
    return {key: chance.choice(values[key]) for key in keys}


def test_a_list_is_asked_for_by_whoever_has_signed_in(db: Session):
    alice = User(username="alice", active=True)
    db.add(alice)
    for old in db.scalars(select(Permission)):
        db.delete(old)
    db.commit()
    assert decision(alice, "view", JobRecord).allowed
    assert db.scalars(visible(select(JobRecord), alice, JobRecord)).all() == []
    assert not decision(alice, "run", JobRecord).allowed
