"""What stands in many rows, told so that it differs whenever any of it does."""

import hashlib
from typing import Any

from sqlalchemy import Dialect, String, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Digest(TypeDecorator[str]):
    """A text of megabytes, told by its digest."""

    impl = String
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


class ContentOf(FunctionElement[str]):
    """An aggregate of text columns, none of them null: a digest of all of it, None where there are no rows."""

    inherit_cache = True
    type = _Digest()


@compiles(ContentOf, "sqlite")
def _content_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # In whichever order it comes to the rows: as long as nothing changes, that stays the same, too.
    return f"group_concat({_joined(element, compiler, **options)}, char(31))"


@compiles(ContentOf)
def _content(element: Any, compiler: Any, **options: Any) -> str:
    # A sum is the same in whichever order rows come, so that nothing has to be sorted.
    return f"CAST(sum(hashtextextended({_joined(element, compiler, **options)}, 0)) AS text)"


def _joined(element: Any, compiler: Any, **options: Any) -> str:
    # By a sign that stands in no text.
    between = "char(31)" if compiler.dialect.name == "sqlite" else "chr(31)"
    return f" || {between} || ".join(compiler.process(each, **options) for each in element.clauses)
