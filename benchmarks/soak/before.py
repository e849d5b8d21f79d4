"""The code of an earlier commit, to be started beside this one."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import NotMeasured
from store.migrate import MIGRATIONS
from store.platform import SCHEMA
from store.settings import PROJECT_ROOT


@contextmanager
def checkout(before: str) -> Iterator[Path]:
    """Give a folder with the code of a commit; by default of the one before the last migration. Raises NotMeasured."""
    commit = before or _before_the_last_migration()
    with tempfile.TemporaryDirectory(prefix="errand-soak-") as folder:
        place = Path(folder, commit[:12])
        _git("worktree", "add", "--detach", str(place), commit)
        try:
            yield place
        finally:
            _git("worktree", "remove", "--force", str(place))


def _before_the_last_migration() -> str:
    [file] = (MIGRATIONS / "versions").glob(f"{SCHEMA}_*.py")
    added = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(file.relative_to(PROJECT_ROOT)))
    if not added:
        raise NotMeasured("No commit has the last migration yet.")
    return _git("rev-parse", f"{added}^")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(PROJECT_ROOT), *arguments], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise NotMeasured(f"An earlier version comes from git, which says: {said}") from error
    return done.stdout.strip()


def schema_of(place: Path) -> str:
    said = (place / "store" / "platform.py").read_text("utf-8").partition("\nSCHEMA = ")[2]
    return said.partition("\n")[0].strip('"')
