"""Images: within the report, a file that the run made, or one of the run's files on disk."""

import base64
import mimetypes
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jobs.report.pieces import Piece

#: An image within a report.
LARGEST_IMAGE_BYTES = 1_000_000

#: What browsers show as an image and nothing else: no SVG, which may hold scripts.
TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
DATA_URI = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/]*={0,2})")


class Image(Piece):
    """An image. source: bytes; a `data:` address; what `create_file` returned; or the path of a file that the run wrote.

    An address elsewhere is shown where the portal allows its host, else as a link.
    """

    kind = "image"

    def __init__(
        self,
        source: Any,
        title: Any = None,
        alt: Any = None,
        width: Any = None,
        height: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.source, self.title, self.alt = source, title, alt
        self.width, self.height = width, height

    def facts(self) -> dict[str, Any]:
        source = _data_uri(self.source) if isinstance(self.source, bytes | bytearray) else str(self.source)
        return {
            "source": re.sub(r"\s", "", source) if source.startswith("data:") else source[:2_000],
            "title": "" if self.title is None else str(self.title),
            "alt": "" if self.alt is None else str(self.alt),
            "width": _pixels(self.width),
            "height": _pixels(self.height),
        }


def with_made_files(value: Any, make: Callable[[str, bytes], str]) -> Iterator[str]:
    """Have images that are files on disk kept as made files, and put their addresses in place; yield what went wrong."""
    if isinstance(value, list):
        for inner in value:
            yield from with_made_files(inner, make)
    elif isinstance(value, dict):
        if value.get("kind") == "image":
            yield from _keep(value, make)
        elif value.get("kind") != "data":
            for inner in value.values():
                yield from with_made_files(inner, make)


def _keep(image: dict[str, Any], make: Callable[[str, bytes], str]) -> Iterator[str]:
    source = image["source"]
    if not source or re.match(r"[a-z]{2,}:|/results/", source):
        return
    path = Path(source).resolve()
    if not any(
        path.is_relative_to(Path(folder).resolve()) for folder in (os.getcwd(), tempfile.gettempdir())
    ):
        return
    if mimetypes.guess_type(path.name)[0] not in TYPES or not path.is_file():
        return
    try:
        image["source"] = make(path.name, path.read_bytes())
    except (OSError, ValueError) as error:
        yield f"The image {path.name} is not in the report: {error}"


def _data_uri(content: bytes | bytearray) -> str:
    return f"data:{_type_of(content)};base64,{base64.b64encode(content).decode('ascii')}"


def _type_of(content: bytes | bytearray) -> str:
    starts = {b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
    return next((name for start, name in starts.items() if content.startswith(start)), "image/png")


def _pixels(given: Any) -> int | None:
    try:
        pixels = int(float(str(given).removesuffix("px")))
    except (ValueError, OverflowError):
        return None
    return pixels if 0 < pixels <= 4_000 else None
