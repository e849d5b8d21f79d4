"""Inputs that are dates and times."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from jobs.errors import BadJob, InvalidValue
from jobs.values import text_of
from jobs.variables import Objects, Variable

NOT_A_DATE = "Enter a valid date, such as 2026-01-31."
NOT_A_MOMENT = "Enter a valid date and time, such as 2026-01-31T14:30."


class _MomentVar(Variable):
    options: ClassVar[tuple[str, ...]] = ("min_value", "max_value")

    def __init__(self, min_value: Any = None, max_value: Any = None, *common: Any, **named: Any) -> None:
        super().__init__(*common, **named)
        self.min_value = self.plain(min_value)
        self.max_value = self.plain(max_value)

    def check(self) -> None:
        for option in self.options:
            try:
                if getattr(self, option) is not None:
                    self.read(getattr(self, option))
            except InvalidValue as error:
                raise BadJob(f"{option} of {self.name} cannot be read: {error}") from error

    def parse(self, raw: Any) -> str:
        moment = self.read(text_of(raw))
        if self.min_value is not None and moment < self.read(self.min_value):
            raise InvalidValue(f"Ensure this value is greater than or equal to {self.min_value}.")
        if self.max_value is not None and moment > self.read(self.max_value):
            raise InvalidValue(f"Ensure this value is less than or equal to {self.max_value}.")
        return str(moment.isoformat())

    def restore(self, value: Any, objects: Objects) -> Any:
        return None if value is None else self.read(value)

    def plain(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, date) else value

    def read(self, text: str) -> Any:
        """Read a moment. Raises InvalidValue."""
        raise NotImplementedError


class DateVar(_MomentVar):
    """A day. The job gets a `datetime.date`."""

    def read(self, text: str) -> date:
        try:
            return date.fromisoformat(text.strip())
        except ValueError as error:
            raise InvalidValue(NOT_A_DATE) from error


class DateTimeVar(_MomentVar):
    """A moment; without an offset it is UTC. The job gets an aware `datetime.datetime` in UTC."""

    def read(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text.strip())
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise InvalidValue(NOT_A_MOMENT) from error
