import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.catalog import MEASURES
from benchmarks.figures import Figure, NotMeasured, WentWrong, percentile
from benchmarks.plan import Plan
from benchmarks.rates import _rate
from webapp.cli import main

Bench = Callable[..., Result]

TINY = Plan(
    rounds=1,
    runs=4,
    warm_runs=1,
    lone_runs=2,
    lines=50,
    kills=1,
    classes=7,
    slots=12,
    requests=1,
    scale=200,
    scale_jobs=40,
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """Call the command with numbers so small that its figures mean nothing."""
    monkeypatch.setattr("benchmarks.plan.QUICK", TINY)
    # The test process keeps its own way to end.
    monkeypatch.setattr("webapp.cli.processes.end_on_signals", lambda: None)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["bench", "--quick", "--instance", str(tmp_path), *arguments])

    return call


def test_help_names_every_measure():
    outcome = CliRunner().invoke(main, ["bench", "--help"])
    assert outcome.exit_code == 0
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert [line[0] for line in lines if line and line[0] in MEASURES] == list(MEASURES)


def test_an_unknown_measure_is_refused(bench: Bench):
    outcome = bench("noop", "no-such-measure")
    assert outcome.exit_code == 2
    assert "'no-such-measure' is not one of 'noop'" in outcome.stderr


def test_json_tells_ours_the_limit_and_what_must_hold(bench: Bench, tmp_path: Path):
    outcome = bench("--json", "--database", "sqlite", "latency")
    said = json.loads(outcome.stdout)
    assert (said["broke"], said["skipped"], said["quick"]) == ([], [], True)
    assert [figure["label"] for figure in said["figures"]] == [
        "submit -> job code begins, p50",
        "submit -> job code begins, p95",
    ]
    for figure in said["figures"]:
        assert (figure["measure"], figure["database"], figure["unit"]) == ("latency", "sqlite", "ms")
        assert figure["bare"] > 0
        assert figure["ours"] > 0
        assert figure["ratio"] == pytest.approx(figure["ours"] / figure["bare"], rel=0.01)
        most = float(figure["must"].removeprefix("<= ").removesuffix(" ms"))
        assert figure["held"] == (figure["ours"] <= most)
    assert outcome.exit_code == (0 if said["held"] else 1)
    assert list(tmp_path.iterdir()) == []  # Its instance, with the Redis in it, is gone.


def test_a_refresh_is_measured_beside_an_import_of_the_same_files(bench: Bench):
    outcome = bench("--json", "--database", "sqlite", "refresh")
    said = json.loads(outcome.stdout)
    assert (said["broke"], said["skipped"]) == ([], [])
    [figure] = said["figures"]
    assert (figure["label"], figure["unit"]) == ("refresh of 7 job classes", "s")
    assert figure["ours"] > 0
    assert figure["bare"] > 0
    assert outcome.exit_code == (0 if figure["held"] else 1)


def test_firing_is_measured_beside_the_same_rows_written_bare(bench: Bench):
    outcome = bench("--json", "--database", "sqlite", "firing")
    said = json.loads(outcome.stdout)
    assert (said["broke"], said["skipped"]) == ([], [])
    [figure] = said["figures"]
    assert (figure["unit"], figure["details"]["slots"]) == ("slots/s", 12)
    assert figure["ours"] > 0
    assert figure["held"] == (figure["ours"] >= 0.1 * figure["bare"] > 0)
    assert outcome.exit_code == (0 if figure["held"] else 1)


def test_a_measure_that_breaks_costs_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def breaks(site: object) -> Iterator[Figure]:
        yield Figure("first", 1.0, "s", must="<= 2 s", held=True)
        raise WentWrong("The run was lost.")

    def works(site: object) -> Iterator[Figure]:
        yield Figure("second", 1.0, "s", must="<= 2 s", held=True)

    monkeypatch.setattr("benchmarks.chatty.chatty", breaks)
    monkeypatch.setattr("benchmarks.kill.kill", works)
    outcome = bench("--database", "sqlite", "chatty", "kill")
    [heading, _, broken, second] = outcome.stdout.splitlines()
    assert heading == "SQLITE"
    assert broken.split() == ["chatty", "broke:", "The", "run", "was", "lost.", "MISSED"]
    assert second.split() == ["second", "1", "s", "<=", "2", "s", "ok"]
    assert outcome.exit_code == 1


def test_without_postgresql_its_figures_are_skipped_and_it_says_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    @contextmanager
    def none() -> Iterator[str]:
        raise NotMeasured("There is none.")
        yield ""

    monkeypatch.setattr("benchmarks.servers.postgres", none)
    outcome = bench("--json", "--database", "postgres", "noop", "pages")
    said = json.loads(outcome.stdout)
    assert said["figures"] == []
    assert said["skipped"] == [
        {"measure": measure, "database": "postgres", "why": "There is none."} for measure in ("noop", "pages")
    ]
    assert outcome.exit_code == 0


def ends(worker: str, *seconds: float) -> list[tuple[str, datetime]]:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    return [(worker, midnight + timedelta(seconds=each)) for each in seconds]


def test_a_rate_counts_from_when_every_worker_is_warm():
    assert _rate(ends("a", 1, 2, 3, 4, 5), 1, workers=1) == 1.0
    # b is warm at 4: from there on two more of each, in two seconds.
    assert _rate(ends("a", 1, 2, 3, 4, 5, 6) + ends("b", 4, 5, 6), 1, workers=2) == 2.0


def test_a_rate_of_workers_that_did_not_share_is_refused():
    with pytest.raises(WentWrong, match="2 workers"):
        _rate(ends("a", 1, 2, 3, 4), 1, workers=2)


def test_a_percentile_is_a_value_that_was_seen():
    values = [float(number) for number in range(20, 0, -1)]
    assert (percentile(values, 50), percentile(values, 95), percentile(values, 100)) == (10.0, 19.0, 20.0)
    assert percentile([7.0], 50) == 7.0
