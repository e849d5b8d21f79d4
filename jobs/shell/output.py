"""What a program says on one of its two ways out: into the log, and into a file."""

from pathlib import Path

from jobs.context import Lines

#: More is not written: what a run keeps is less.
MOST_BYTES = 100 * 1024**2


class Output:
    def __init__(self, path: Path, lines: Lines) -> None:
        self.path = path
        #: How many bytes did not get into the file.
        self.dropped = 0
        self._lines = lines
        self._room = MOST_BYTES
        self._file = path.open("wb", buffering=0)

    def take(self, piece: bytes) -> None:
        kept = piece[: self._room]
        self._file.write(kept)
        self._room -= len(kept)
        self.dropped += len(piece) - len(kept)
        self._lines.feed(piece)

    def end(self) -> None:
        self._lines.end()
        self._file.close()
