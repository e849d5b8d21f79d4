"""What a check says."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]

OK: State = "ok"
#: It works, but not for ever, or not as well as it could.
WARN: State = "warn"
BAD: State = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    #: What was looked at, in a word or two.
    part: str
    state: State
    says: str
    #: What to do about it; empty where nothing is to be done.
    advice: str = ""
