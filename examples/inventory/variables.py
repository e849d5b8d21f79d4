"""A kind of variable that only this plugin has."""

import re
from typing import Any, NamedTuple

from jobs import StringVar
from jobs.errors import InvalidValue

_TAG = re.compile(r"([A-Z]{1,3})([0-9]{3,8})")


class AssetTag(NamedTuple):
    """What is glued to a device: "A01501"."""

    series: str
    number: int
    #: Numbers are as long as those before them.
    digits: int

    def __str__(self) -> str:
        return f"{self.series}{self.number:0{self.digits}}"

    def after(self, count: int) -> "AssetTag":
        """Return the tag so many places further on."""
        return self._replace(number=self.number + count)


class AssetTagVar(StringVar):
    """An asset tag, however it was typed: the job gets an AssetTag."""

    def parse(self, raw: Any) -> str:
        text = re.sub(r"[\s-]", "", super().parse(raw)).upper()
        if not _TAG.fullmatch(text):
            raise InvalidValue("An asset tag is up to three letters, and then 3 to 8 digits: A01501.")
        return text

    def restore(self, value: Any, objects: Any) -> AssetTag | None:
        tag = _TAG.fullmatch(value or "")
        return AssetTag(tag[1], int(tag[2]), len(tag[2])) if tag else None
