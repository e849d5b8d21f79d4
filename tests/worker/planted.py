"""What a planted payload would call, if anything called it."""

import os
from pathlib import Path
from typing import Any


def touch(*_: Any) -> None:
    if trace := os.environ.get("PLANTED_TRACE"):
        Path(trace).touch()
