"""How long a refresh takes where there are many jobs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, WentWrong, median
from benchmarks.site import Site
from worker.refresh import refresh

MOST_SECONDS = 2.0

CLASSES_IN_A_FILE = 5

HEAD = "from jobs import ChoiceVar, IntegerVar, Job, StringVar\n"

JOB = '''

class Check{number}(Job):
    """Check thing number {number}."""

    host = StringVar(description="Which host")
    count = IntegerVar(default=3, min_value=1)
    region = ChoiceVar(choices=[("n", "North"), ("s", "South")])

    def run(self, host, count, region):
        self.log_info(f"{{host}} has {{count}} in {{region}}")
'''

#: Import every file of a folder, as the least that can be done with it.
IMPORT_ALL = """
import importlib, pathlib, sys
sys.path.insert(0, sys.argv[1])
for file in pathlib.Path(sys.argv[1]).glob("*.py"):
    importlib.import_module(file.stem)
"""


def refreshing(site: Site) -> Iterable[Figure]:
    folder = site.folder / "many"
    _write_jobs(folder, site.plan.classes)
    settings = replace(site.settings, jobs_roots=(folder,))

    def ours() -> None:
        with site.platform.session() as db:
            report = refresh(db, settings)
        if report.errors or report.jobs != site.plan.classes:
            raise WentWrong(f"{report.jobs} jobs were found of {site.plan.classes}.")

    def bare() -> None:
        command = [sys.executable, "-P", "-c", IMPORT_ALL, str(folder)]
        subprocess.run(command, env=site.environment, check=True)

    # The first refresh makes the records, and an import the byte code: what counts is what comes every time.
    ours()
    bare()
    found, least = [], []
    for _ in range(site.plan.rounds):
        found.append(_seconds(ours))
        least.append(_seconds(bare))
    yield Figure(
        label=f"refresh of {site.plan.classes} job classes",
        ours=median(found),
        unit="s",
        bare=median(least),
        bare_label="a Python that imports the files",
        must=f"<= {MOST_SECONDS:g} s",
        held=median(found) <= MOST_SECONDS,
    )


def _write_jobs(folder: Path, classes: int) -> None:
    folder.mkdir()
    for start in range(0, classes, CLASSES_IN_A_FILE):
        numbers = range(start, min(start + CLASSES_IN_A_FILE, classes))
        (folder / f"checks_{start}.py").write_text(
            HEAD + "".join(JOB.format(number=each) for each in numbers)
        )


def _seconds(act: Callable[[], None]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before
