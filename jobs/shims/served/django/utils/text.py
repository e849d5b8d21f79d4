"""Texts that can stand in an address."""

import re
import unicodedata
from typing import Any


def slugify(value: Any, allow_unicode: bool = False) -> str:
    """Return the text in lower case with hyphens in place of blanks, and without all other marks."""
    text = str(value).lower()
    if allow_unicode:
        text = unicodedata.normalize("NFKC", text)
    else:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^\w\s-]", "", text)
    return re.sub(r"[\s-]+", "-", words).strip("-_")
