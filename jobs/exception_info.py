"""An exception as the hooks of a job get it."""

import sys
import traceback
from types import TracebackType
from typing import Any


class ExceptionInfo:
    """Where and why a method broke: made of `sys.exc_info()` as billiard's is, and with the same in it."""

    def __init__(self, exc_info: tuple[Any, Any, TracebackType | None] | None = None) -> None:
        self.exc_info: tuple[Any, Any, TracebackType | None] = exc_info or sys.exc_info()
        self.type: type[BaseException] | None = self.exc_info[0]
        self.exception: BaseException | None = self.exc_info[1]
        self.tb = self.exc_info[2]
        #: As text.
        self.traceback = "".join(traceback.format_exception(*self.exc_info))

    def __str__(self) -> str:
        return self.traceback
