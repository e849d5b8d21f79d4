"""A run at a portal elsewhere: asked for, followed and canceled by its API."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.errors import InvalidData, InvalidValue
from jobs.files import Upload
from webapp.cli.asking import tell
from webapp.cli.following import Interrupts
from webapp.cli.portal import Elsewhere, Part, Refusal
from webapp.cli.reading import INTERRUPTED, Reading, entry_of
from webapp.cli.watching import Watching

if TYPE_CHECKING:
    from webapp.cli.run import Asked

#: What a form has no names for, as it names it.
_FLAGS = ("profile", "ignore_singleton_lock")


def run_elsewhere(portal: Elsewhere, asked: "Asked") -> Mapping[str, Any]:
    """See a run through, and return its result."""
    job = portal.get(f"/jobs/{asked.class_path}")
    given = asked.inputs(job["variables"], job["presets"])
    if wrong := {name: [str(value)] for name, value in given.items() if isinstance(value, InvalidValue)}:
        raise InvalidData(wrong)
    with Interrupts() as interrupts:
        stored: Mapping[str, Any] = _ask(portal, job["class_path"], given, asked)
        if not asked.follow:
            return stored
        tell(f"Run {stored['id']} of {job['name']}, at {portal.url}")
        if "user" not in stored:
            raise Refusal("You may not see what comes of this run, so it cannot be followed.")
        return _Followed(portal, stored, interrupts, quiet=asked.as_json).until_final()


@dataclass(slots=True)
class _Followed:
    portal: Elsewhere
    stored: Mapping[str, Any]
    interrupts: Interrupts
    quiet: bool
    _reading: Reading = field(default_factory=Reading)
    _asked_to_cancel: bool = False

    def until_final(self) -> Mapping[str, Any]:
        watching = Watching(self.portal, self.stored["id"], self._entry, self._look)
        try:
            result = watching.until_final()
        except KeyboardInterrupt:
            tell(f"Left. Its result is {self.stored['id']}.")
            raise SystemExit(INTERRUPTED) from None
        finally:
            self._reading.close()
        if not self.quiet:
            self._reading.result(result, report=self._report())
        return result

    def _report(self) -> str:
        """Return the report of the run as text; "" where it has none."""
        try:
            return self.portal.text(f"/results/{self.stored['id']}/report", format="txt")
        except Refusal as refusal:
            if refusal.status != 404:
                tell(f"Its report was not read: {refusal.message}")
            return ""

    def _entry(self, said: Mapping[str, Any]) -> None:
        if not self.quiet:
            self._reading.entry(entry_of(said))

    def _look(self, result: Mapping[str, Any]) -> None:
        if not self.quiet:
            self._reading.progress(result["progress"])
        if not self.interrupts.count or self._asked_to_cancel:
            return
        self._asked_to_cancel = True
        tell("Asked the run to cancel. Ctrl-C again leaves.")
        try:
            self.portal.post(f"/results/{result['id']}/cancel")
        except Refusal as refusal:
            if refusal.status != 409:  # It has ended: the next look shows how.
                tell(f"It was not canceled: {refusal.message}")


# --- Asking for it ---


def _ask(portal: Elsewhere, class_path: str, given: Mapping[str, Any], asked: "Asked") -> Any:
    """Ask for the run; once more where the answer is lost, which makes no second one."""
    files = {name: value for name, value in given.items() if isinstance(value, Upload)}
    options = {name: True for name in _FLAGS if getattr(asked.options, name)}
    more: dict[str, Any] = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
    if files:
        more["parts"] = _parts(given, {"commit": asked.commit, "queue": asked.queue, **options})
    body = {"data": given, "commit": asked.commit, "queue": asked.queue, **options}
    path = f"/jobs/{class_path}/run"
    try:
        return portal.post(path, None if files else body, **more)
    except Refusal as refusal:
        if refusal.status:
            raise
    for upload in files.values():
        upload.stream.seek(0)
    return portal.post(path, None if files else body, **more)


def _parts(given: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Part]:
    """Return a flat form: it is how files come along."""
    parts: list[Part] = []
    for name, value in given.items():
        if isinstance(value, Upload):
            parts.append((name, (value.name, value.stream, value.content_type or "application/octet-stream")))
        else:
            parts += [(name, (None, _as_text(each), "text/plain")) for each in _several(value)]
    said = {f"_{name}": value for name, value in settings.items() if value is not None}
    return parts + [(name, (None, _as_text(value), "text/plain")) for name, value in said.items()]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
