"""The command, and what makes its figures worth something: that the check sees what is wrong."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from benchmarks.figures import Figure, WentWrong
from benchmarks.site import USERNAME, site
from benchmarks.soak import asking, forms, guards, packages, poison, slots
from benchmarks.soak.catalog import SOAKS
from benchmarks.soak.check import Asked, Claim, Execution, Run, check
from benchmarks.soak.facts import lines_of
from benchmarks.soak.plan import QUICK
from benchmarks.soak.random_kills import Outcome, figures
from benchmarks.soak.run import Ground
from benchmarks.soak.unguarded import Removal
from benchmarks.soak.world import World
from store.models import JobResult, now
from store.timing.recurrence import Recurrence
from webapp.app import create_app
from webapp.cli import main
from worker.firing import DOWN, STANDS_FOR
from worker.markers import NOT_SAVED, SAVED, UNKNOWN
from worker.schedules import Timetable

Soak = Callable[..., Result]


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Soak:
    # The test process keeps its own way to end.
    monkeypatch.setattr("webapp.cli.processes.end_on_signals", lambda: None)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["soak", "--quick", "--instance", str(tmp_path), *arguments])

    return call


# --- the command --------------------------------------------------------------------------------------------------


def test_help_names_every_soak():
    outcome = CliRunner().invoke(main, ["soak", "--help"])
    assert outcome.exit_code == 0
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert [line[0] for line in lines if line and line[0] in SOAKS] == list(SOAKS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-soak",),
        ("--runs", "0"),
        ("--seeds", "0"),
        ("--seconds", "-1"),
        ("--schedules", "0"),
        ("--database", "x"),
    ],
)
def test_what_cannot_be_done_is_refused(soak: Soak, arguments: tuple[str, ...]):
    assert soak(*arguments).exit_code == 2


def test_random_kills_find_nothing_and_leave_nothing(soak: Soak, tmp_path: Path):
    outcome = soak("random-kills", "--json", "--database", "sqlite", "--runs", "12", "--seed", "4")
    said = json.loads(outcome.stdout)
    assert (said["broke"], said["skipped"], said["seed"], said["runs"]) == ([], [], 4, 12)
    found = {figure["label"]: figure["ours"] for figure in said["figures"]}
    assert found["runs asked for that are stored"] == 12
    for label in (
        "runs lost",
        "runs executed too often",
        "untrue ends",
        "logs with gaps or wrong counts",
        "processes that ended by themselves",
        "processes left at the end",
    ):
        assert found[label] == 0, outcome.stderr
    assert "seed 4: " in outcome.stderr
    assert outcome.exit_code == (0 if said["held"] else 1)
    assert list(tmp_path.iterdir()) == []


def test_killed_schedulers_leave_each_slot_with_one_run_or_miss(
    soak: Soak, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("benchmarks.soak.schedules.START_SECONDS", 1)
    outcome = soak(
        *("schedules", "--json", "--database", "sqlite", "--schedules", "50", "--seconds", "2", "--seed", "4")
    )
    said = json.loads(outcome.stdout)
    assert (said["broke"], said["skipped"]) == ([], [])
    found = {figure["label"]: figure for figure in said["figures"]}
    assert found["slots with a run or a miss"]["held"], outcome.stderr
    assert found["slots with a run or a miss"]["details"]["missed"] > 0
    assert found["kills of schedulers"]["ours"] > 0
    assert [label for label, figure in found.items() if figure["must"] == "0" and figure["ours"]] == []
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_is_rendered_wrongly_is_told(soak: Soak, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.fuzz_rendering.characters", lambda: iter(["one", "two"]))
    well = soak("fuzz-rendering", "--json", "--seconds", "0", "--seed", "1")
    assert (well.exit_code, json.loads(well.stdout)["held"]) == (0, True)
    monkeypatch.setattr("benchmarks.fuzz_rendering.problems", lambda text, fast: iter(["it is wrong"]))
    badly = soak("fuzz-rendering", "--seconds", "0", "--seed", "1")
    assert badly.exit_code == 1
    assert "'two': it is wrong" in badly.stderr
    assert "NO DATABASE" in badly.stdout
    assert [line for line in badly.stdout.splitlines() if "MISSED" in line and "2 texts" in line]


def test_a_soak_that_breaks_costs_no_other(soak: Soak, monkeypatch: pytest.MonkeyPatch):
    def breaks(ground: object) -> Iterator[Figure]:
        raise RuntimeError("Out of luck.")
        yield

    def works(ground: object) -> Iterator[Figure]:
        yield Figure("all well", 1, "", must="1", held=True)

    monkeypatch.setattr("benchmarks.soak.poison.poison", breaks)
    monkeypatch.setattr("benchmarks.soak.fuzz.fuzz", works)
    outcome = soak("poison", "fuzz-rendering", "--json", "--database", "sqlite")
    said = json.loads(outcome.stdout)
    assert [one["why"] for one in said["broke"]] == ["RuntimeError: Out of luck."]
    assert [figure["label"] for figure in said["figures"]] == ["all well"]
    assert outcome.exit_code == 1


def test_a_seed_asks_for_the_same_runs_again(tmp_path: Path):
    first, again = ([asking.wish(8, number, tmp_path) for number in range(50)] for _ in range(2))
    assert first == again
    assert first != [asking.wish(9, number, tmp_path) for number in range(50)]
    assert {wish.job for wish in first} == {"Counts", "CountsAgain"}


# --- the check ----------------------------------------------------------------------------------------------------

DIED = f"The worker x-1 died while it ran this job. {NOT_SAVED}"


def executed(token: str = "t1", *, begins: int = 1, ends: int = 1, saved: bool = True) -> Execution:
    return Execution(token, begins, ends, saved)


def stored(**values: Any) -> Run:
    """A run that was asked for once and completed; `values` say what is different."""
    run = Run(
        id=UUID(int=1),
        key="k",
        status="completed",
        cause="Completed.",
        attempt=1,
        broken=0,
        last_seq=2,
        counts={"info": 2, "error": 0},
        counted=Counter(info=2),
        seqs=[1, 2],
        logged={"t1": 2, "t2": 2},
        executions=[executed()],
    )
    return replace(run, **values)


ASKED = Asked(key="k", answers=frozenset([UUID(int=1)]), lines=2)
AGAIN = replace(ASKED, idempotent=True)


def found(run: Run | None, asked: Asked = ASKED, others: Sequence[Run] = ()) -> set[Claim]:
    runs = [*([run] if run else []), *others]
    return {finding.claim for finding in check([asked], runs, {one.id: one.executions for one in runs})}


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        (stored(), ASKED),
        (stored(), replace(ASKED, answers=frozenset())),
        (stored(attempt=3), ASKED),
        (stored(status="errored", cause=DIED, executions=[executed(ends=0, saved=False)]), ASKED),
        (stored(status="errored", cause=DIED, executions=[executed(saved=False)]), ASKED),
        (stored(status="errored", cause=DIED, executions=[]), ASKED),
        (stored(status="errored", cause=f"It was killed by signal 9. {SAVED}"), ASKED),
        (stored(status="errored", cause=f"The x died while it ran this job. {UNKNOWN}"), ASKED),
        (stored(status="canceled", cause="Canceled.", executions=[]), replace(ASKED, canceled=True)),
        (stored(status="canceled", cause=f"Canceled. {SAVED}"), replace(ASKED, canceled=True)),
        (stored(attempt=2, broken=1, executions=[executed(ends=0), executed("t2")]), AGAIN),
        # The last attempt died before it said anything; the one before had saved its changes.
        (stored(status="errored", cause=DIED, attempt=4, broken=3), AGAIN),
    ],
)
def test_what_is_well_is_not_found(run: Run, asked: Asked):
    assert found(run, asked) == set()


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        (None, ASKED),
        (None, replace(ASKED, answers=frozenset())),
        (stored(status="pending", cause="", executions=[]), ASKED),
        (stored(status="running", cause="", executions=[executed(ends=0)]), ASKED),
        (stored(), replace(ASKED, answers=frozenset([UUID(int=1), UUID(int=2)]))),
    ],
)
def test_a_lost_run_is_found(run: Run | None, asked: Asked):
    assert found(run, asked) == {Claim.LOST}


def test_a_run_that_was_executed_and_is_not_stored_is_found():
    [finding] = check([ASKED], [stored()], {uuid4(): [executed()], UUID(int=1): [executed()]})
    assert finding.claim == Claim.LOST


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        (stored(executions=[executed(), executed("t2")]), ASKED),
        (stored(attempt=2, executions=[executed(ends=0, saved=False), executed("t2")]), ASKED),
        (stored(executions=[executed(begins=2)]), ASKED),
        # It may be run again, but nobody lost an attempt.
        (stored(attempt=2, executions=[executed(), executed("t2")]), AGAIN),
        (stored(attempt=5, broken=4), AGAIN),
        (stored(attempt=12), ASKED),
    ],
)
def test_a_run_that_was_executed_too_often_is_found(run: Run, asked: Asked):
    assert found(run, asked) == {Claim.DOUBLE}


def test_a_run_that_nobody_wanted_is_found():
    twice = stored(id=UUID(int=2))
    assert Claim.DOUBLE in found(stored(), others=[twice])
    assert Claim.DOUBLE in found(stored(), others=[stored(id=UUID(int=2), key="other")])


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        (stored(executions=[executed(ends=0)]), ASKED),
        (stored(executions=[]), ASKED),
        (stored(executions=[executed(saved=False)]), ASKED),
        (stored(cause=" "), ASKED),
        (stored(logged={"t1": 1}), ASKED),
        # The attempt that counts is the last one.
        (stored(attempt=2, broken=1, executions=[executed(), executed("t2", ends=0)]), AGAIN),
        (stored(status="errored", cause=DIED), ASKED),
        (stored(status="errored", cause=f"It was killed by signal 9. {SAVED}", executions=[]), ASKED),
        (
            stored(
                status="errored",
                cause=f"It was killed by signal 9. {SAVED}",
                executions=[executed(saved=False)],
            ),
            ASKED,
        ),
        (stored(status="errored", cause="The x died before it ran this job."), ASKED),
        (stored(status="errored", cause="The job raised ValueError: no"), ASKED),
        (stored(status="failed", cause="It failed."), ASKED),
        (stored(status="denied", cause="No."), ASKED),
        (stored(status="canceled", cause="Canceled.", executions=[]), ASKED),
        (stored(status="canceled", cause=f"Canceled. {NOT_SAVED}"), replace(ASKED, canceled=True)),
    ],
)
def test_an_untrue_end_is_found(run: Run, asked: Asked):
    assert found(run, asked) == {Claim.UNTRUE}


@pytest.mark.parametrize(
    "run",
    [
        stored(seqs=[1, 3]),
        stored(seqs=[1]),
        stored(seqs=[1, 1, 2]),
        stored(seqs=[1, 2], last_seq=3),
        stored(counts={"info": 3}),
        stored(counted=Counter(info=1, error=1)),
    ],
)
def test_a_log_with_a_gap_is_found(run: Run):
    assert found(run) == {Claim.GAP}


def test_the_figures_tell_in_which_seed_something_broke():
    fine = Outcome(1, Counter(completed=3), Counter(redis=1), Counter(), [1.0], [60.0], 0, 0)
    lost = replace(fine, seed=2, ends=Counter(completed=2), broken=Counter({Claim.LOST: 1}), strays=2)
    slow = replace(fine, seed=3, seconds=[16.0])
    by_label = {figure.label: figure for figure in figures([fine, lost, slow], runs=3)}
    missed = {label for label, figure in by_label.items() if not figure.held}
    assert missed == {
        "runs asked for that are stored",
        "runs lost",
        "processes left at the end",
        "kill -> true end, slowest",
    }
    assert by_label["runs lost"].details == {"seed 2": 1}


def test_lines_of_the_counter_are_read(tmp_path: Path):
    counter = tmp_path / "counter"
    assert lines_of(counter) == []
    counter.write_text(f"S {UUID(int=1)} t1 12\nE {UUID(int=1)} t1 12\n")
    assert [(line.what, line.token, line.pid) for line in lines_of(counter)] == [
        ("S", "t1", 12),
        ("E", "t1", 12),
    ]


# --- schedules ---------------------------------------------------------------------------------------------------

BEGIN = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
END = BEGIN + timedelta(minutes=3)
#: One hour before, where nobody was there, and one in the time itself.
SLOTS = [BEGIN - timedelta(minutes=59), BEGIN + timedelta(minutes=1)]


def hourly(missed: str = "all", overlap: str = "allow", *, enabled: bool = True) -> slots.Wish:
    return slots.Wish(Timetable("Hourly", Recurrence("hourly", SLOTS[0], end=END), missed, overlap), enabled)


def ran(slot: datetime, status: str = "pending") -> slots.Fired:
    return slots.Fired(f"slot {slot.isoformat()}", slot, status)


def kept(
    *runs: slots.Fired, missed: Sequence[tuple[datetime, str]] = (), counted: int | None = None
) -> slots.Kept:
    lines = [slots.Missed(slot, slot, 1, cause) for slot, cause in missed]
    return slots.Kept(runs, lines, len(runs) if counted is None else counted)


def broken(wish: slots.Wish, stored: slots.Kept) -> set[Claim]:
    return {finding.claim for finding in slots.check("It", wish, stored, BEGIN, END)}


@pytest.mark.parametrize(
    ("wish", "stored"),
    [
        (hourly(), kept(*map(ran, SLOTS))),
        (hourly("skip"), kept(ran(SLOTS[1]), missed=[(SLOTS[0], DOWN)])),
        (hourly("once"), kept(ran(SLOTS[1]), missed=[(SLOTS[0], STANDS_FOR)])),
        (hourly("once"), kept(*map(ran, SLOTS))),
        (hourly(overlap="skip"), kept(ran(SLOTS[0]), ran(SLOTS[1], "canceled"))),
        (hourly("skip"), kept(missed=[(slot, DOWN) for slot in SLOTS])),
        (hourly(enabled=False), kept(missed=[(slot, "It is disabled.") for slot in SLOTS])),
    ],
)
def test_slots_that_are_well_are_not_found(wish: slots.Wish, stored: slots.Kept):
    assert broken(wish, stored) == set()


@pytest.mark.parametrize(
    ("claim", "wish", "stored"),
    [
        (Claim.LOST, hourly(), kept(ran(SLOTS[0]))),
        (Claim.LOST, hourly(), kept()),
        (Claim.DOUBLE, hourly(), kept(*map(ran, [*SLOTS, SLOTS[1]]))),
        (Claim.DOUBLE, hourly("skip"), kept(*map(ran, SLOTS))),
        (Claim.DOUBLE, hourly(), kept(*map(ran, [*SLOTS, SLOTS[1] + timedelta(minutes=1)]))),
        (Claim.DOUBLE, hourly("skip"), kept(ran(SLOTS[1]), missed=[(slot, DOWN) for slot in SLOTS])),
        (Claim.UNTRUE, hourly("skip"), kept(ran(SLOTS[1]), missed=[(SLOTS[0], STANDS_FOR)])),
        (Claim.UNTRUE, hourly(enabled=False), kept(missed=[(slot, DOWN) for slot in SLOTS])),
        (Claim.UNTRUE, hourly(), kept(*map(ran, SLOTS), counted=3)),
        (Claim.UNTRUE, hourly(overlap="skip"), kept(*map(ran, SLOTS))),
        (Claim.UNTRUE, hourly(), kept(ran(SLOTS[0]), replace(ran(SLOTS[1]), key="slot 1"))),
        (
            Claim.UNTRUE,
            hourly("skip"),
            slots.Kept([ran(SLOTS[1])], [slots.Missed(SLOTS[0], SLOTS[0], 2, DOWN)], 1),
        ),
    ],
)
def test_what_is_wrong_with_slots_is_found(claim: Claim, wish: slots.Wish, stored: slots.Kept):
    assert broken(wish, stored) == {claim}


def test_slots_missed_because_schedulers_were_behind_are_counted():
    stored = kept(missed=[(slot, DOWN) for slot in SLOTS])
    assert slots.overdue(hourly("skip"), stored, BEGIN, END) == 1
    assert slots.overdue(hourly(enabled=False), stored, BEGIN, END) == 0


@pytest.mark.parametrize(
    ("cron", "dialect", "minutes"),
    [
        ("*/2 * * * *", "nautobot", [1, 3]),
        ("30 2,3 * * *", "nautobot", [1]),
        ("* * * * * 0", "jobschleuder", [0, 1, 2, 3]),
    ],
)
def test_slots_are_worked_out_over_a_change_of_clocks(cron: str, dialect: str, minutes: list[int]):
    times = Recurrence("custom", BEGIN, "Europe/Berlin", END, cron, dialect)
    found = [BEGIN + timedelta(minutes=minute) for minute in minutes]
    assert slots.slots_of(Timetable("It", times), END) == found == times.next(BEGIN - timedelta(seconds=1), 9)


# --- guards -------------------------------------------------------------------------------------------------------


def test_a_protection_that_no_test_misses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tmp_path / "door.py").write_text("def opens(key):\n    return key == 'right'\n")
    for name, said in (("kept", "not door.opens('wrong')"), ("hole", "door.opens('right')")):
        (tests / f"test_{name}.py").write_text(f"import door\n\ndef test_it():\n    assert {said}\n")
    # These tests need none, and to load them takes longer than all else here.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(guards, "PROJECT_ROOT", tmp_path)
    always = Removal("door.py", "key == 'right'", "True")
    told: list[str] = []

    def found(unguarded: Any) -> list[float]:
        monkeypatch.setattr(guards, "UNGUARDED", unguarded)
        return [figure.ours for figure in guards.guards(Ground(QUICK, told.append, inside=tmp_path))]

    broken = Removal("door.py", "return", "retrun")
    unguarded = {
        (1, "tests/test_kept.py::test_it"): (always, broken),
        (2, "tests/test_hole.py::test_it"): (always,),
    }
    assert found(unguarded) == [3, 1, 1]
    assert [re.split(": ", line)[3] for line in told] == ["fails", guards.UNCLEAR, guards.HOLE]
    assert "opens(key)" in (tmp_path / "door.py").read_text(), "it is done in a copy"
    with pytest.raises(WentWrong, match="stands 0 times"):
        found({(1, "tests/test_kept.py::test_it"): (Removal("door.py", "gone", ""),)})
    (tests / "test_kept.py").write_text("def test_it():\n    assert False\n")
    with pytest.raises(WentWrong, match="NOTHING WAS TRIED: this fails with every protection"):
        found(unguarded)


# --- forms --------------------------------------------------------------------------------------------------------


def test_forms_are_sent_to_what_there_is_and_it_is_there_again():
    """To ask for what is not there is to try one line of code, over and over."""
    with site(postgres_url=None, inside=None, plugins="examples.inventory") as ground:
        app = create_app(ground.settings)
        world = World(ground)
        visitor = forms.Visitor(app, ground.platform, USERNAME)
        rules = [rule for rule in app.url_map.iter_rules() if not forms.NO_FORMS.match(rule.rule)]
        known = forms.fields_of_forms(visitor, world, rules)
        posted = {rule.endpoint: rule for rule in rules if "POST" in rule.methods}
        assert len(known.keys() & posted.keys()) >= 60
        for endpoint in ("groups.delete", "chains.delete", "hooks.delete", "data_files.delete"):
            path = forms.path_of(app, world, posted[endpoint], "POST")
            assert [visitor.send(path, known[endpoint]) for _ in range(2)] == [303, 404], path
            world.restore()
            assert visitor.send(path, known[endpoint]) == 303, path
        # One that has ended stays as it is, of all others.
        path = forms.path_of(app, world, posted["results.cancel"], "POST")
        for _ in range(2):
            world.restore()
            assert visitor.send(path, known["results.cancel"]) == 303
            with ground.platform.session() as db:
                going_on = update(JobResult).where(JobResult.finished_at.is_(None))
                db.execute(going_on.values(status="canceled", finished_at=now()))
                db.commit()
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        app.extensions["errand"].data.dispose()


# --- packages -----------------------------------------------------------------------------------------------------


def looked_up(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> dict[str, float]:
    """Return the figures where pip-audit answers so."""
    done = SimpleNamespace(
        stdout=json.dumps({"dependencies": answers}) if answers else "", stderr="No route."
    )
    monkeypatch.setattr(packages, "find_spec", lambda name: name)
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: done)
    return {figure.label: figure.ours for figure in packages.packages(Ground(QUICK, lambda line: None))}


def test_known_weaknesses_are_counted(monkeypatch: pytest.MonkeyPatch):
    weak = {"name": "a", "version": "1", "vulns": [{"id": "X-1"}, {"id": "X-2"}]}
    found = looked_up(monkeypatch, weak, {"name": "b", "version": "1", "vulns": []})
    assert found == {"packages looked up": 2, "known weaknesses": 2}


def test_a_package_that_nobody_could_look_up_is_no_good_news(monkeypatch: pytest.MonkeyPatch):
    skipped = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (1)"}
    with pytest.raises(WentWrong, match="NOT ALL WAS CHECKED: of 2 packages 1 could not be looked up"):
        looked_up(monkeypatch, {"name": "a", "version": "1", "vulns": []}, skipped)
    with pytest.raises(WentWrong, match=r"NOTHING WAS CHECKED: .* No route"):
        looked_up(monkeypatch)


# --- poison -------------------------------------------------------------------------------------------------------


def test_every_dose_fits_its_job():
    """A job that was renamed, or lost a variable, would only be refused."""
    text = poison.POISON.read_text()
    for job, variables in poison.DOSES.items():
        assert f"\nclass {job}(Job):" in text
        for name, values in variables.items():
            assert f"    {name} = " in text
            assert values


def test_memory_that_grows_is_told():
    megabyte = 1024**2
    assert poison._growth([50 * megabyte] * 8).held
    grown = poison._growth([50 * megabyte] * 6 + [61 * megabyte] * 2)
    assert (grown.held, round(grown.ours)) == (False, 22)


def test_each_broken_promise_of_poison_is_told():
    well = poison.Seen(ends=Counter(errored=2), healthy=2, memory=[1, 1, 1, 1])
    assert all(figure.held for figure in poison.figures(well))
    for broken in ({"ill": 1}, {"late": 1}, {"deaths": 1}, {"left": 1}, {"without_cause": 1}):
        assert not all(figure.held for figure in poison.figures(replace(well, **broken))), broken
