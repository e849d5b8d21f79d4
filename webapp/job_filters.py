"""What the list of jobs is narrowed to beside the search: one of the chips, and flags of the records."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

Show = Literal["all", "favourites", "failing", "running", "scheduled", "disabled", "hidden", "gone"]
SHOWS: tuple[Show, ...] = (
    "all",
    "favourites",
    "failing",
    "running",
    "scheduled",
    "disabled",
    "hidden",
    "gone",
)

#: The chips that no flag of the record tells of.
OF_TIME: tuple[Show, ...] = ("failing", "running", "favourites", "scheduled")

#: Names as Nautobot's list has them, and what they are called.
FLAGS = {
    "enabled": "Enabled",
    "installed": "Installed",
    "hidden": "Hidden",
    "read_only": "Read only",
    "approval_required": "Approval",
    "restricted": "Restricted",
    "commit_default": "Commit by default",
    "has_sensitive_variables": "Sensitive inputs",
    "is_job_hook_receiver": "Hook receiver",
    "is_job_button_receiver": "Button receiver",
    "withdrawn": "Switched off by its author",
}
_VALUES = {"true": True, "false": False, "any": None}

#: What nobody looks for who has not asked for it.
_USUAL: Mapping[str, bool | None] = {
    "installed": True,
    "hidden": False,
    "is_job_hook_receiver": False,
    "is_job_button_receiver": False,
    "withdrawn": False,
}
_OF_CHIP: dict[Show, Mapping[str, bool | None]] = {
    "favourites": {},
    "hidden": {},
    "disabled": {"installed": True, "enabled": False},
    "gone": {"installed": False},
}


@dataclass(frozen=True, slots=True)
class Filters:
    show: Show = "all"
    #: Of the flags those that were chosen; None: whatever it is.
    flags: Mapping[str, bool | None] = field(default_factory=dict)

    def take(self, marks: Set[str]) -> bool:
        """Tell whether the list has a job that has these marks: names of flags and of chips."""
        wanted = {"withdrawn": False, **_OF_CHIP.get(self.show, _USUAL), **self.flags}
        fits = all((name in marks) == value for name, value in wanted.items() if value is not None)
        return fits and self._chip_takes(marks)

    def _chip_takes(self, marks: Set[str]) -> bool:
        if self.show == "hidden":
            return not marks.isdisjoint(("hidden", "is_job_hook_receiver", "is_job_button_receiver"))
        return self.show not in OF_TIME or self.show in marks

    def chosen(self, name: str) -> str:
        """Return a flag as its input has it."""
        words = {value: word for word, value in _VALUES.items()}
        return words[self.flags[name]] if name in self.flags else ""

    def choices(self, name: str) -> list[tuple[str, str]]:
        """Return what can be chosen of a flag, as (value, word), what is usual first."""
        if name not in _USUAL:
            return [("", "Any"), ("true", "Yes"), ("false", "No")]
        yes, no = ("", "false") if _USUAL[name] else ("true", "")
        return sorted([(yes, "Yes"), (no, "No"), ("any", "Any")])

    def arguments(self, show: Show | None = None) -> dict[str, str]:
        """Return what stands in the address of this list, or of the one under another chip."""
        chip = self.show if show is None else show
        flags = {name: self.chosen(name) for name in self.flags}
        return {**({"show": chip} if chip != "all" else {}), **flags}


def read_filters(arguments: Mapping[str, str]) -> Filters:
    """Read the filters of a request; what makes no sense is left out."""
    show: Show = next((name for name in SHOWS if name == arguments.get("show")), "all")
    given = {name: arguments.get(name, "").strip().lower() for name in FLAGS}
    return Filters(show, {name: _VALUES[word] for name, word in given.items() if word in _VALUES})
