"""Inputs that are files."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from jobs.errors import BadJob, InvalidValue
from jobs.values import is_integer, shortened
from jobs.variables import Objects, Variable

LONGEST_FILE_NAME = 200

NOT_A_FILE = "Choose a file."
PIECE_BYTES = 64 * 1024


@dataclass(slots=True)
class Upload:
    """A file on its way in. `stream` stands at its beginning."""

    name: str
    stream: BinaryIO = field(repr=False)
    content_type: str = ""
    _size: int = -1

    @property
    def size_bytes(self) -> int:
        if self._size < 0:
            self._size = self.stream.seek(0, io.SEEK_END)
            self.stream.seek(0)
        return self._size


class InputFile(io.BufferedReader):
    """A file as a job reads it: bytes, from the beginning. It is there during the run only."""

    def __init__(self, path: str, *, name: str, size: int, content_type: str = "") -> None:
        super().__init__(io.FileIO(path))
        self._name = name
        self.size = size
        self.content_type = content_type

    @property
    def name(self) -> str:
        """What the file was called where it came from."""
        return self._name

    def _dealloc_warn(self, _wrapper: Any) -> None:
        """Say nothing: a job that reads it through a TextIOWrapper may leave it to the run to close it."""

    def chunks(self, chunk_size: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield the file in pieces, from the beginning."""
        self.seek(0)
        while piece := self.read(chunk_size):
            yield piece


class FileVar(Variable):
    """A file. The job gets it open for reading bytes, with its `name`, `size` and `content_type`.

    max_bytes: how large it may be; by default what the portal takes at most
    accept: the kinds that are taken: endings such as ".csv", or types such as "text/csv" and "image/*"
    """

    options: ClassVar[tuple[str, ...]] = ("max_bytes", "accept")

    def __init__(self, *common: Any, max_bytes: int | None = None, accept: Any = (), **named: Any) -> None:
        super().__init__(*common, **named)
        self.max_bytes = max_bytes
        self.accept = [accept] if isinstance(accept, str) else list(accept or ())

    def check(self) -> None:
        if self.default is not None:
            raise BadJob(f"{self.name} is a file, and a file has no default.")
        if self.max_bytes is not None and not (is_integer(self.max_bytes) and self.max_bytes > 0):
            raise BadJob(f"max_bytes of {self.name} must be a whole number above 0.")
        for kind in self.accept:
            if not isinstance(kind, str) or not (kind.startswith(".") or "/" in kind):
                raise BadJob(
                    f'accept of {self.name} has {kind!r}: write endings like ".csv", or types like "text/csv".'
                )

    def parse(self, raw: Any) -> Upload:
        if not isinstance(raw, Upload):
            raise InvalidValue(NOT_A_FILE)
        name = file_name(raw.name)
        if not name:
            raise InvalidValue("The file needs a name.")
        if self.accept and not any(_fits(kind, name, raw.content_type) for kind in self.accept):
            raise InvalidValue(f"Choose a file of another kind: {shortened(name)} is not {_or(self.accept)}.")
        if self.max_bytes is not None and raw.size_bytes > self.max_bytes:
            raise InvalidValue(too_large(self.max_bytes))
        return Upload(name, raw.stream, raw.content_type, raw.size_bytes)

    def restore(self, value: Any, objects: Objects) -> InputFile | None:
        # Where a run begins, its worker has put the file at this path (see worker.run_files).
        if not isinstance(value, Mapping) or "path" not in value:
            return None
        return InputFile(
            value["path"], name=value["name"], size=value["size"], content_type=value.get("content_type", "")
        )


def file_name(given: str) -> str:
    """Return the last part of a file's name as its maker called it, fit to be shown and to be saved by a browser."""
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip()
    if shown.strip(".") == "":
        return ""
    stem, dot, ending = shown.rpartition(".")
    if len(shown) > LONGEST_FILE_NAME and dot and len(ending) < 20:
        return f"{stem[: LONGEST_FILE_NAME - len(ending) - 1]}.{ending}"
    return shown[:LONGEST_FILE_NAME]


def too_large(most_bytes: int) -> str:
    return f"The file is larger than {in_units(most_bytes)}, the most that is taken here."


def in_units(size_bytes: int) -> str:
    """Return a size as people say it: 10 MB, 1.5 KB, 3 bytes."""
    if size_bytes < 1024:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    power = min((size_bytes.bit_length() - 1) // 10, 4)
    return f"{size_bytes / 1024**power:.1f}".removesuffix(".0") + f" {' KMGT'[power]}B"


def _fits(kind: str, name: str, content_type: str) -> bool:
    if kind.startswith("."):
        return name.lower().endswith(kind.lower())
    if kind.endswith("/*"):
        return content_type.lower().startswith(kind[:-1].lower())
    return content_type.partition(";")[0].strip().lower() == kind.lower()


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
