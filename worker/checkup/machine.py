"""Python, packages, the instance folder and its disk."""

import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from jobs.files import in_units
from store.settings import PROJECT_ROOT, Settings
from worker.checkup.finding import BAD, OK, WARN, Finding

LOCK = PROJECT_ROOT / "requirements.lock"

OLDEST_PYTHON = (3, 11)

#: Of free disk: below the first little is left, below the second nearly nothing.
LITTLE_BYTES = 2 * 1024**3
NEARLY_NOTHING_BYTES = 200 * 1024**2

INSTALL = "Have ./errand install them: remove .venv/requirements.lock.stamp, and call it again."


def machine(settings: Settings) -> Iterator[Finding]:
    yield python()
    yield packages(LOCK.read_text("utf-8"))
    yield folder(settings.instance)
    yield disk("disk", settings.instance)


def python(running: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    name = ".".join(map(str, running))
    if running[:2] < OLDEST_PYTHON:
        return Finding("python", BAD, f"This is Python {name}.", "Errand needs 3.11 or newer.")
    return Finding("python", OK, f"Python {name}")


def packages(lock: str) -> Finding:
    """Compare what is installed with what the lock file names."""
    wanted = [Requirement(line.rstrip("\\ ")) for line in lock.splitlines() if line[:1].isalnum()]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    missing, others = [], []
    for each in wanted:
        try:
            if not each.specifier.contains(found := version(each.name), prereleases=True):
                others.append(f"{each.name} {found} (not {each.specifier})")
        except PackageNotFoundError:
            missing.append(each.name)
    if missing:
        return Finding("packages", BAD, f"Not installed: {', '.join(missing)}.", INSTALL)
    if others:
        return Finding("packages", WARN, f"Other versions than those tested: {', '.join(others)}.", INSTALL)
    return Finding("packages", OK, f"all {len(wanted)} as in requirements.lock")


def folder(instance: Path) -> Finding:
    open_to_others = [
        path.name
        for path in (instance / "secret_key", instance / "worker_key")
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if open_to_others:
        names = " ".join(str(instance / name) for name in open_to_others)
        return Finding("instance", BAD, f"Others can read {names}.", f"chmod 600 {names}")
    return Finding("instance", OK, str(instance))


def disk(part: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    says = f"{in_units(free)} free at {place}"
    if free < NEARLY_NOTHING_BYTES:
        return Finding(part, BAD, says, "Make room: nothing new can be stored soon.")
    if free < LITTLE_BYTES:
        return Finding(part, WARN, says, "Make room before there is none.")
    return Finding(part, OK, says)
