"""What the site does with links that lead out of docs/: it shows the file's place in the repository, and links nowhere."""

import re
from typing import Any

#: [text](../place), where the text may be code.
_OUT = re.compile(r"\[(?P<text>[^\]]+)\]\(\.\./(?P<place>[^)\s]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return _OUT.sub(_shown, markdown)


def _shown(link: re.Match[str]) -> str:
    text, place = link["text"], link["place"].rstrip("/")
    return text if text.strip("`").rstrip("/") == place else f"{text} (`{place}`)"
