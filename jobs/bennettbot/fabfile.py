"""Fetches the file that a namespace's commands are made of, before each run."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

NAME = "fabfile.py"

SECONDS = 30.0

#: A larger one is no code.
MOST_BYTES = 5 * 1024 * 1024


def fetch(url: str, folder: Path) -> str:
    """Write the file at the address into the folder; return why not, as a sentence, "" where it was.

    What is there already stays until all of the new one has come. url: of http or https.
    """
    try:
        content = _content(url)
        if len(content) > MOST_BYTES:
            return f"Could not refresh {url}: it is larger than {MOST_BYTES >> 20} MB."
        _put(content, folder)
    # Whatever a server answers, or a proxy on the way: HTTPException is no OSError.
    except Exception as error:
        return f"Could not refresh {url}: {error}."
    return ""


def _content(url: str) -> bytes:
    request = Request(url, headers={"User-Agent": "Errand"})  # noqa: S310
    with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        content: bytes = answer.read(MOST_BYTES + 1)
        return content


def _put(content: bytes, folder: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, folder / NAME)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
