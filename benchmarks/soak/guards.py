"""Takes each protection out of a copy of the project, one after the other: a test has to fail without it.

A test that passes without what it is named for is a hole: the protection could go, and nobody would be told.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, WentWrong
from benchmarks.soak.run import Ground
from benchmarks.soak.unguarded import UNGUARDED, Removal
from store.settings import PROJECT_ROOT

#: What the folders of copies begin with.
COPIES = "errand-guards-"

#: What a copy is made without: nothing of it is code. A copy may lie in the project.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "instance", "site", f"{COPIES}*")

#: For one test. One that needs longer tells nothing.
PATIENCE_SECONDS = 280

#: What pytest exits with where tests have failed; all else is no answer.
FAILED = 1

#: As its summary writes a test that has failed, and one that could not be set up or torn down.
_FAILED = re.compile(r"^FAILED (?:.+?)(?: - (.*))?$", re.MULTILINE)
_BROKE = re.compile(r"^ERROR ", re.MULTILINE)

#: What is said of a test, but for one that fails as it should.
HOLE, UNCLEAR = "HOLE", "UNCLEAR"


def guards(ground: Ground) -> Iterable[Figure]:
    """Raises WentWrong where a protection is no longer written as it is told, or its test fails in any case."""
    if find_spec("pytest") is None or not (PROJECT_ROOT / "tests").is_dir():
        raise WentWrong("NOTHING WAS TRIED: that takes the tests, and pytest (requirements-dev.txt).")
    rows = ground.plan.rows
    chosen = {key: removals for key, removals in UNGUARDED.items() if not rows or key[0] in rows}
    told: Counter[str] = Counter()
    with _copy(ground.inside) as copy:
        removals = [each for of_test in chosen.values() for each in of_test]
        if missing := [problem for each in removals if (problem := misplaced(each, copy))]:
            raise WentWrong(" ".join(missing))
        if broken := _failing(copy, [test for _, test in chosen]):
            raise WentWrong(f"NOTHING WAS TRIED: this fails with every protection in its place: {broken}")
        for (row, test), of_test in chosen.items():
            for each in of_test:
                seen = _without(each, test, copy)
                told[seen.partition(":")[0]] += 1
                ground.say(f"{row}: {each.file}: {test}: {seen}")
    yield Figure("protections taken out", told.total(), "times", "> 0", bool(told))
    yield Figure("that no test misses", told[HOLE], "", "0", not told[HOLE])
    yield Figure("of which nothing is known", told[UNCLEAR], "", "0", not told[UNCLEAR])


def misplaced(removal: Removal, root: Path) -> str:
    """Return what is wrong with where a protection should be written; "" where it is there, once."""
    times = (root / removal.file).read_text("utf-8").count(removal.text)
    return "" if times == 1 else f"{removal.text!r} stands {times} times in {removal.file}."


@contextmanager
def _copy(inside: Path | None) -> Iterator[Path]:
    """Give a copy of the project in which anything may be broken."""
    with TemporaryDirectory(dir=inside, prefix=COPIES) as folder:
        copy = Path(folder, "errand")
        shutil.copytree(PROJECT_ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        yield copy


def _failing(copy: Path, tests: Sequence[str]) -> str:
    """Return those of the tests that fail as they are."""
    done = _pytest(copy, list(dict.fromkeys(tests)), seconds=PATIENCE_SECONDS * 4)
    if done is None:
        return "they did not end in time"
    return "" if done.returncode == 0 else _last(done.stdout)


def _without(removal: Removal, test: str, copy: Path) -> str:
    """Return what its test says where the protection is gone."""
    file = copy / removal.file
    whole = file.read_text("utf-8")
    _write(file, whole.replace(removal.text, removal.instead))
    try:
        done = _pytest(copy, [test], seconds=PATIENCE_SECONDS)
    finally:
        _write(file, whole)
    if done is None:
        return f"{UNCLEAR}: it did not end in {PATIENCE_SECONDS} seconds"
    if done.returncode == 0:
        return f"{HOLE}: it passes"
    failed = _FAILED.search(done.stdout)
    # What cannot even be imported or set up fails whatever was taken out.
    if done.returncode != FAILED or failed is None or _BROKE.search(done.stdout):
        return f"{UNCLEAR}: {_last(done.stdout)}"
    return f"fails: {failed[1] or 'without a word'}"


def _write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    # Of two that are written in one second and are of one length Python could take the older one.
    Path(cache_from_source(str(file))).unlink(missing_ok=True)


def _pytest(copy: Path, tests: Sequence[str], *, seconds: float) -> "subprocess.CompletedProcess[str] | None":
    flags = ("-q", "-x", "-rfE", "--tb=no", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")
    command = [sys.executable, "-m", "pytest", *flags, *tests]
    environ = {**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "400"}
    try:
        return subprocess.run(
            command, cwd=copy, env=environ, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None


def _last(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return "; ".join(lines or output.strip().splitlines()[-1:] or ["not a word"])
