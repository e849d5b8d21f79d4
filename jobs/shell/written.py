"""The files that a command has written."""

from collections.abc import Iterator, Sequence
from pathlib import Path

#: The clock of a file system may be that much behind.
SLACK_SECONDS = 0.1


def written_files(folder: Path, patterns: Sequence[str], began_at: float) -> Iterator[Path]:
    """Yield the files of a folder that fit a pattern and were written since `began_at`, each once, by name."""
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    root = folder.resolve()
    for path in sorted(found):
        # Links lead to files that the command did not write.
        if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        if path.stat().st_mtime >= began_at - SLACK_SECONDS:
            yield path
