"""Files that a run makes, on their way into the store while its worker goes on watching it."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from jobs.files import file_name
from store.files import FileStore
from store.platform import Platform
from store.settings import Settings
from store.text import clean_text
from worker import run_files
from worker.entries import Writer
from worker.frames import BrokenLine
from worker.masking import Mask
from worker.ownership import Claim

#: What one run may make.
MOST_FILES = 500

#: What a program's output is served as.
OUTPUT = "text/plain; charset=utf-8"

logger = logging.getLogger("errand.worker")


class Keeper(Protocol):
    """What is needed of the supervisor."""

    settings: Settings
    platform: Platform
    writer: Writer
    filer: Writer

    @property
    def files(self) -> FileStore: ...

    @property
    def look(self) -> Callable[[], None]: ...


class MadeFiles:
    """The files of one run, one after the other: its job waits for the answer to each."""

    def __init__(self, keeper: Keeper, claim: Claim, folder: Path, mask: Mask) -> None:
        self._keeper = keeper
        self._mask = mask
        self._claim = claim
        self._folder = folder
        self._count = 0
        self._busy = False
        #: What is to be said of the last one, once it is known: {"id", "cut"} or {"refused"}.
        self.answer: dict[str, Any] | None = None

    def keep(self, given: str, path: Path, content_type: str) -> None:
        """Have a file kept by the filer. A job's code may have asked: raises BrokenLine for what no child of ours asks."""
        self._take(given, path, content_type, lambda: 0)

    def keep_output(self, given: str, path: Path) -> None:
        """Have a file kept that a program's output is in: as much of it as is kept at most, and without secrets."""
        most_bytes = self._keeper.settings.created_file_bytes
        self._take(given, path, OUTPUT, lambda: mask_file(path, self._mask, most_bytes))

    def _take(self, given: str, path: Path, content_type: str, make_fit: Callable[[], int]) -> None:
        name = file_name(self._mask.text(clean_text(given)))
        if self._busy or not name or path.parent != self._folder or path.is_symlink():
            raise BrokenLine("no file")
        self._busy = True
        self._count += 1
        if self._count > MOST_FILES:
            self.answer = {"refused": f"A run may keep at most {MOST_FILES} files."}
        else:
            self._keeper.filer.ask(lambda: self._keep(name, path, clean_text(content_type), make_fit))

    def take_answer(self) -> dict[str, Any] | None:
        self._busy = False
        answer, self.answer = self.answer, None
        return answer

    # Called by the filer

    def _keep(self, name: str, path: Path, content_type: str, make_fit: Callable[[], int]) -> None:
        keeper = self._keeper
        try:
            cut = make_fit()
            kept = run_files.keep_made(
                keeper.platform.engine,
                keeper.files,
                self._claim,
                path,
                name=name,
                content_type=content_type,
                most_bytes=keeper.settings.created_file_bytes,
            )
            self.answer = {"id": kept, "cut": cut}
        except run_files.FileRefused as error:
            self.answer = {"refused": str(error)}
        except Exception as error:  # Its job is told, and may go on without it.
            logger.error("A file of %s could not be kept.", self._claim.result_id, exc_info=error)
            self.answer = {"refused": f"The file could not be kept: {type(error).__name__}."}
        finally:
            path.unlink(missing_ok=True)
            keeper.look()


def mask_file(path: Path, mask: Mask, most_bytes: int) -> int:
    """Take the secrets out of a file of text, and what is more than so many bytes; return how many those are."""
    # Not through a link: the job may have put one there since.
    with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+b") as file:
        content = file.read(most_bytes)
        more = os.fstat(file.fileno()).st_size - len(content)
        # Bytes that are no text stay what they are.
        text = mask.text(content.decode("utf-8", "surrogateescape"), cut=more > 0)
        file.seek(0)
        file.write(text.encode("utf-8", "surrogateescape")[:most_bytes])
        file.truncate()
    return more
