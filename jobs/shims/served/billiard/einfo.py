"""An exception with what is known of it."""

import sys
import traceback
from typing import Any


class ExceptionInfo:
    """The exception that is handled now, or the one given."""

    def __init__(self, exc_info: Any = None, internal: bool = False) -> None:
        self.exc_info: tuple[Any, Any, Any] = exc_info or sys.exc_info()
        self.type: Any = self.exc_info[0]
        self.exception: Any = self.exc_info[1]
        self.tb: Any = self.exc_info[2]
        self.internal = internal
        self.traceback = "".join(traceback.format_exception(*self.exc_info))

    def __str__(self) -> str:
        return self.traceback
