"""Which commit a job file is of, where its folder is a clone of a git repository."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

#: How long git may take to answer.
GIT_SECONDS = 5.0


class Commits:
    """The commits of job folders, asked once. Without git, or a repository, nothing is known of any file."""

    def __init__(self, folders: Iterable[str]) -> None:
        #: {folder: (commit, files that differ from it)}
        self._known: dict[Path, tuple[str, set[Path]]] = {}
        for folder in folders:
            path = Path(folder).resolve()
            if any((parent / ".git").exists() for parent in (path, *path.parents)):
                self._look(path)

    def of(self, path: str) -> str:
        """Return the commit whose content the file has; "" for a file that was changed since, or is of none."""
        file = Path(path).resolve()
        for folder, (commit, changed) in self._known.items():
            if file.is_relative_to(folder):
                return "" if any(file == other or file.is_relative_to(other) for other in changed) else commit
        return ""

    @classmethod
    def all_of(cls, commit: str) -> "Commits":
        """Return what says of every file that it is of this commit."""
        known = cls(())
        known._known[Path("/")] = (commit, set())
        return known

    def _look(self, folder: Path) -> None:
        commit = _git(folder, "rev-parse", "HEAD")
        top = _git(folder, "rev-parse", "--show-toplevel")
        # Also what is new or ignored: no commit has that.
        status = _git(folder, "status", "--porcelain", "-z", "--ignored", "--", ".")
        if not commit or not top or status is None:
            return
        changed = {Path(top.strip(), entry[3:]) for entry in status.split("\0") if len(entry) > 3}
        self._known[folder] = (commit.strip(), changed)


def _git(folder: Path, *arguments: str) -> str | None:
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS,
            env=environ,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "surrogateescape")
