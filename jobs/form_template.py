"""A form template: what an author puts around a job's form, translated from Django's syntax into plain data.

The language is what such templates need: blocks, comments, a few facts of the job. Nothing of a template is ever run, and
every step goes through its text once, whatever stands there.
"""

import hashlib
import html
import posixpath
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs.beside import beside

#: Of the template, and of each file it names.
MOST_BYTES = 256 * 1024
MOST_FILES = 20
MOST_NOTES = 20

#: Of a tag, or a name, in a sentence.
LONGEST_TAG = 80

BASE = "extras/job.html"
BLOCKS = ("extra_styles", "content", "javascript")
FACTS = ("name", "description", "grouping", "class_path")

_SCRIPT_TYPES = ("", "text/javascript", "application/javascript")

#: None looks beyond where the next could begin: many that are never closed must not cost a look at the whole line each.
_TOKEN = re.compile(r"(\{%[^{}%\n]*+%\}|\{\{[^{}\n]*+\}\}|\{#(?:[^{#\n]|\{(?!#)|#(?!\}))*+#\})")
_FACT = re.compile(rf"(?:job|job_model)\.({'|'.join(FACTS)})")
_QUOTED = re.compile(r"""(?:"([^"]*)"|'([^']*)')""")

_PART = re.compile(r"<!--|<(script|style|link)(?=[\s/>])", re.IGNORECASE)
_REST_OF_TAG = re.compile(r"""((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>]++))?""")
_ENDS = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in ("script", "style")}
_ELSEWHERE = re.compile(r"//|[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Unusable(Exception):
    """Why a template, or a file it names, cannot be used: a sentence."""


@dataclass(slots=True)
class FormTemplate:
    """What stands around a form, as plain data; with an `error` there is nothing else."""

    #: Of its file, relative to the job's.
    name: str
    #: HTML above and below the form, as the author wrote it: not yet sanitized.
    before: str = ""
    after: str = ""
    css: str = ""
    js: str = ""
    #: Sentences about what was left out.
    notes: list[str] = field(default_factory=list)
    #: Why it could not be used, in a sentence.
    error: str = ""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def read_template(job_file: str, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job record keeps of the template `name` beside `job_file`.

    facts: what the template may ask of the job, by FACTS.
    "form_files" are the fingerprints of all files that were looked for, so that an edit of one is seen.
    """
    if not name:
        return {"form_template": {}, "form_files": {}}
    files = _Files(job_file, name)
    try:
        template = _translate(name, files, facts)
    except Unusable as error:
        template = FormTemplate(name, error=str(error))
    return {"form_template": template.as_data(), "form_files": files.fingerprints}


def fingerprint(job_file: str, name: str) -> str:
    """Return what changes when a file beside a job's is edited; "" where there is none to read."""
    try:
        return _fingerprint(_content(job_file, name))
    except Unusable:
        return ""


# --- Files ----------------------------------------------------------------------------------------------------


class _Files:
    """Reads a template and the files it names, and notes which they were. All of it raises Unusable."""

    def __init__(self, job_file: str, template_name: str) -> None:
        self._job_file = job_file
        self._template_name = template_name
        self.fingerprints: dict[str, str] = {}

    def template(self) -> str:
        return self._read(self._template_name)

    def beside_template(self, name: str) -> str:
        folder = posixpath.dirname(self._template_name)
        return self._read(posixpath.normpath(posixpath.join(folder, name)))

    def _read(self, name: str) -> str:
        if name not in self.fingerprints and len(self.fingerprints) >= MOST_FILES:
            raise Unusable(f"there are more than {MOST_FILES} files.")
        self.fingerprints[name] = ""
        content = _content(self._job_file, name)
        self.fingerprints[name] = _fingerprint(content)
        if len(content) > MOST_BYTES:
            raise Unusable(f"it is larger than {MOST_BYTES >> 10} KB.")
        try:
            # As Python reads text: lines end in one way.
            return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            raise Unusable("it is no UTF-8 text.") from None


def _content(job_file: str, name: str) -> bytes:
    """Return a file's content, or of a larger one a byte more than may be read."""
    try:
        path = beside(job_file, name)
        # A pipe would be waited for, for ever.
        if not path.is_file():
            raise FileNotFoundError
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Unusable("there is no such file in the folder of the job.") from None
    except (ValueError, RuntimeError):
        raise Unusable("it is outside of the job's folder.") from None
    except OSError as error:
        raise Unusable(f"it cannot be read ({error.strerror}).") from None


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- The language ---------------------------------------------------------------------------------------------


def _translate(name: str, files: _Files, facts: Mapping[str, Any]) -> FormTemplate:
    reader = _Reader(facts)
    reader.read(files.template())
    parts = _Parts(files)
    before, after = (parts.without(reader.pieces[place]) for place in ("before", "after"))
    # The head of a page shows nothing, its foot whatever stands there.
    parts.without(reader.pieces["extra_styles"])
    after += parts.without(reader.pieces["javascript"])
    return FormTemplate(
        name,
        before=before.strip(),
        after=after.strip(),
        css="\n".join(parts.css),
        # The next one begins a statement of its own, however the last one ends.
        js="\n;\n".join(parts.js),
        notes=[*reader.notes, *parts.notes][:MOST_NOTES],
    )


@dataclass(slots=True)
class _Piece:
    """A part of a template, and the line where it begins."""

    line: int = 1
    texts: list[str] = field(default_factory=list)


class _Reader:
    """Goes through a template and sorts its text into the pieces of the page. Raises Unusable."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.pieces = {name: _Piece() for name in ("before", "after", "extra_styles", "javascript")}
        self.notes: list[str] = []
        self._facts = facts
        self._line = 1
        self._extends = False
        self._known: set[str] = set()
        #: The open block and the line it began in; the piece its text belongs to, or none.
        self._block = ""
        self._block_line = 0
        self._piece: _Piece | None = None
        self._in_comment = False

    def read(self, text: str) -> None:
        for number, token in enumerate(_TOKEN.split(text)):
            # Every other one is what stood between two tags.
            if number % 2:
                self._take_tag(token)
            else:
                self._take_text(token)
            self._line += token.count("\n")
        if self._in_comment:
            raise Unusable("{% comment %} is not closed.")
        if self._block:
            raise Unusable(f"line {self._block_line}: {{% block {self._block} %}} is not closed.")
        if not self._extends:
            raise Unusable(f'it does not begin with {{% extends "{BASE}" %}}.')

    def _take_text(self, text: str) -> None:
        if self._in_comment:
            text = "\n" * text.count("\n")
        elif "{%" in text:
            self._line += text.count("\n", 0, text.index("{%"))
            raise Unusable(f"line {self._line}: a tag that begins with {{% does not end in this line.")
        self._write(text)

    def _write(self, text: str) -> None:
        if self._piece is not None:
            self._piece.texts.append(text)

    def _take_tag(self, token: str) -> None:
        inside = token[2:-2].strip()
        if self._in_comment:
            self._in_comment = inside != "endcomment"
        elif token.startswith("{{"):
            self._take_variable(token, inside)
        elif token.startswith("{%"):
            word, _, rest = inside.partition(" ")
            self._take_statement(token, word, rest.strip())

    def _take_variable(self, token: str, inside: str) -> None:
        if inside == "block.super":
            self._super()
        elif fact := _FACT.fullmatch(inside):
            # As a reference, a newline leaves the numbers of the lines below as they are.
            self._write(html.escape(self._facts[fact[1]]).replace("\n", "&#10;"))
        elif self._block:
            known = ", ".join(f"job.{name}" for name in FACTS)
            raise self._unknown(token, f"There are block.super, {known}.")

    def _super(self) -> None:
        if self._block != "content" or self._piece is None:
            return
        if self._piece is self.pieces["after"]:
            raise Unusable(
                f"line {self._line}: {{{{ block.super }}}} stands twice in content; there is one form."
            )
        self._piece = self.pieces["after"]
        self._piece.line = self._line

    def _take_statement(self, token: str, word: str, rest: str) -> None:
        if word == "comment":
            self._in_comment = True
        elif word == "extends":
            self._extend(rest)
        elif word == "block":
            self._open(rest)
        elif word == "endblock":
            self._close(rest)
        elif word == "static" and (name := _QUOTED.fullmatch(rest)):
            self._write(html.escape(name[1] or name[2] or ""))
        elif word != "load":
            raise self._unknown(token, "There are extends, block, endblock, load, static and comment.")

    def _extend(self, name: str) -> None:
        quoted = _QUOTED.fullmatch(name)
        if quoted is None or (quoted[1] or quoted[2]) != BASE:
            raise Unusable(f'line {self._line}: it extends {name[:LONGEST_TAG]}; there is "{BASE}" only.')
        if self._extends or self._known:
            raise Unusable(f"line {self._line}: {{% extends %}} must come first, and once.")
        self._extends = True

    def _open(self, name: str) -> None:
        name = name[:LONGEST_TAG]
        if self._block:
            raise Unusable(f"line {self._line}: {{% block {name} %}} is within {{% block {self._block} %}}.")
        if not name or name in self._known:
            raise Unusable(f"line {self._line}: {{% block {name} %}} is there already, or has no name.")
        self._known.add(name)
        self._block, self._block_line = name, self._line
        if name in BLOCKS:
            self._piece = self.pieces["before" if name == "content" else name]
            self._piece.line = self._line
        else:
            self.notes.append(
                f"line {self._line}: the block {name} is left out; there are {', '.join(BLOCKS)}."
            )

    def _close(self, name: str) -> None:
        if not self._block or name not in ("", self._block):
            raise Unusable(f"line {self._line}: {{% endblock {name[:LONGEST_TAG]} %}} closes no open block.")
        self._block, self._piece = "", None

    def _unknown(self, token: str, known: str) -> Unusable:
        shown = token if len(token) <= LONGEST_TAG else f"{token[:LONGEST_TAG]}…"
        return Unusable(f"line {self._line}: {shown} is not known here. {known}")


# --- Scripts and styles ---------------------------------------------------------------------------------------


class _Parts:
    """Takes scripts, styles and comments out of HTML. Raises Unusable for a tag that is not closed."""

    def __init__(self, files: _Files) -> None:
        self.css: list[str] = []
        self.js: list[str] = []
        self.notes: list[str] = []
        self._files = files

    def without(self, piece: _Piece) -> str:
        """Return the piece without them."""
        text, line = "".join(piece.texts), piece.line
        rest, place = [], 0
        while found := _PART.search(text, place):
            rest.append(text[place : found.start()])
            line += text.count("\n", place, found.start())
            end = self._end(text, found, line)
            line += text.count("\n", found.start(), end)
            place = end
        return "".join([*rest, text[place:]])

    def _end(self, text: str, found: re.Match[str], line: int) -> int:
        """Take out one part; return where it ends."""
        if found[1] is None:
            end = text.find("-->", found.end())
            return len(text) if end < 0 else end + 3
        name = found[1].lower()
        tag = _REST_OF_TAG.match(text, found.end())
        if tag is None:
            raise Unusable(f"line {line}: <{name} is not closed.")
        attributes = _attributes(tag[1])
        if name == "link":
            self._link(attributes, line)
            return tag.end()
        closing = _ENDS[name].search(text, tag.end())
        if closing is None:
            raise Unusable(f"line {line}: <{name}> is not closed.")
        content = text[tag.end() : closing.start()]
        if name == "style":
            self._style(attributes, content)
        else:
            self._script(attributes, content, line)
        return closing.end()

    def _link(self, attributes: Mapping[str, str], line: int) -> None:
        if "stylesheet" not in attributes.get("rel", "").lower().split():
            self.notes.append(f'line {line}: <link> is left out; there is rel="stylesheet" only.')
            return
        self._style(attributes, self._file(attributes.get("href", ""), line))

    def _style(self, attributes: Mapping[str, str], content: str) -> None:
        media = attributes.get("media", "")
        if content.strip():
            self.css.append(f"@media {media} {{\n{content}\n}}" if media else content)

    def _script(self, attributes: Mapping[str, str], content: str, line: int) -> None:
        kind = attributes.get("type", "").lower()
        if kind not in _SCRIPT_TYPES:
            self.notes.append(
                f'line {line}: <script type="{kind[:LONGEST_TAG]}"> is left out; it must be plain.'
            )
            return
        if "src" in attributes:
            content = self._file(attributes["src"], line)
        if content.strip():
            self.js.append(content)

    def _file(self, name: str, line: int) -> str:
        """Return what a file says; "" and a note where it cannot be used."""
        shown = name[:LONGEST_TAG] or "a file without a name"
        if _ELSEWHERE.match(name):
            self.notes.append(f"line {line}: {shown} is not loaded; put the file beside the template.")
            return ""
        try:
            return self._files.beside_template(name)
        except Unusable as error:
            self.notes.append(f"line {line}: {shown} is left out: {error}")
            return ""


def _attributes(text: str) -> dict[str, str]:
    return {
        name.lower(): html.unescape(value.strip("\"'")).strip() for name, value in _ATTRIBUTE.findall(text)
    }
