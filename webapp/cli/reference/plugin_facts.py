"""What a plugin may bring."""

import dataclasses
import inspect

from store.plugins import Link, Plugin
from webapp.cli.reference.tables import comments, table


def text() -> str:
    return "\n".join(_of(cls) for cls in (Plugin, Link))


def _of(cls: type) -> str:
    said = comments(inspect.getsource(cls))
    rows = (
        (f"`{field.name}`", _default(field), said.get(field.name, "")) for field in dataclasses.fields(cls)
    )
    return f"## {cls.__name__}\n\n" + table(("attribute", "default", "meaning"), rows)


def _default(field: "dataclasses.Field[object]") -> str:
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
