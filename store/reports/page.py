"""A report as HTML: a part of a page, the body of a mail, or a file of its own. Bounded, however much there is."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup, escape

from jobs.report.writing import foot_of, head_of, plain_text, rows_of, table_of
from store import html
from store.reports import chart
from store.reports.code import cut_code, highlight
from store.reports.sorting import sorted_rows
from store.text import clean_text

#: Rows of a table that are shown at once.
ROWS = 100
#: Characters of HTML on the page of a result, and on a page of the report's own.
ON_RESULT, ON_REPORT, IN_FILE = 200_000, 900_000, 20_000_000

MOST_CELL = 2_000
MOST_ITEMS = 500
MOST_HTML = 100_000
FIGURES = ("table", "chart", "code")


def _no_icon(_: str) -> Markup:
    return Markup("")


@dataclass(slots=True)
class Look:
    """Where a report is shown, and how much of it."""

    #: The address of the report's own page; "": it stands alone, and leads nowhere.
    address: str = ""
    #: The page that it is shown on.
    here: str = ""
    #: What comes before the paths of the portal, which objects and texts name their pages by: what a proxy puts there,
    #: or outside of the portal its whole address.
    prefix: str = ""
    #: The files that the run made, by name and by address.
    files: Mapping[str, str] = field(default_factory=dict)
    #: Whose images may be shown.
    hosts: Collection[str] = ()
    icon: Callable[[str], Markup] = _no_icon
    room: int = ON_RESULT
    #: Which table is asked for, by what it is sorted, and its page.
    table: int = -1
    sort: int = 0
    page: int = 1
    rows: int = ROWS
    #: Characters of a code that are shown.
    code: int = 20_000
    #: Images that a mail carries beside itself, or that stand in a file, are shown; others are named.
    images: bool = True


@dataclass(slots=True)
class Part:
    """What is shown of a report, and with which piece the rest begins."""

    html: Markup
    first: int
    rest: int | None


def render_part(report: dict[str, Any], look: Look, first: int = 0) -> Part:
    return _Page(look).part(report["pieces"], first)


def render_table(report: dict[str, Any], look: Look) -> Markup | None:
    """Return the table that is asked for; None where there is none."""
    pieces = report["pieces"]
    if not 0 <= look.table < len(pieces) or pieces[look.table]["kind"] != "table":
        return None
    page = _Page(look)
    return page.table(pieces[look.table], look.table, page.caption_before(pieces, look.table))


class _Page:
    def __init__(self, look: Look) -> None:
        self.look = look
        self.room = look.room

    def part(self, pieces: list[dict[str, Any]], first: int) -> Part:
        shown: list[Markup] = []
        number = first = max(0, min(first, len(pieces)))
        while number < len(pieces) and self.room > 0:
            block, number = self._block(pieces, number)
            self.room -= len(block)
            shown.append(block)
        return Part(Markup("\n").join(shown), first, number if number < len(pieces) else None)

    def _block(self, pieces: list[dict[str, Any]], number: int) -> tuple[Markup, int]:
        """Return the piece of this number, with those that belong to it, and the number of the next."""
        piece = pieces[number]
        if piece["kind"] == "metric":
            end = number
            while end < len(pieces) and pieces[end]["kind"] == "metric":
                end += 1
            metrics = Markup("").join(map(self._metric, pieces[number:end]))
            return Markup('<dl class="figs">{}</dl>').format(metrics), end
        if _is_caption(pieces, number):
            return self._figure(pieces[number + 1], number + 1, self.value(piece["content"])), number + 2
        if piece["kind"] in FIGURES:
            return self._figure(piece, number, Markup("")), number + 1
        return self.piece(piece), number + 1

    def caption_before(self, pieces: list[dict[str, Any]], number: int) -> Markup:
        return (
            self.value(pieces[number - 1]["content"])
            if number and _is_caption(pieces, number - 1)
            else Markup("")
        )

    # Figures: with a caption, and what can be done with them

    def _figure(self, piece: dict[str, Any], number: int, caption: Markup) -> Markup:
        if piece["kind"] == "table":
            return self.table(piece, number, caption)
        return (
            self._code(piece, number, caption)
            if piece["kind"] == "code"
            else self._chart(piece, number, caption)
        )

    def _framed(self, number: int, caption: Any, note: str, actions: Any, body: Markup) -> Markup:
        head = Markup('<h3>{}</h3><span class="n">{}</span>{}').format(caption, note, actions)
        return Markup(
            '<figure class="box" id="r-{}"><figcaption class="row">{}</figcaption>{}</figure>'
        ).format(number, head, body)

    def table(self, table: dict[str, Any], number: int, caption: Markup) -> Markup:
        look, total = self.look, len(table["rows"])
        mine = look.table == number
        sort, page = (look.sort, look.page) if mine else (0, 1)
        pages = max(1, -(-total // look.rows))
        page = max(1, min(page, pages))
        rows = sorted_rows(rows_of(table), sort)[(page - 1) * look.rows : page * look.rows]
        note = f"{len(rows):,} of {total:,}" if look.address else f"{total:,}"
        body = Markup('<div class="scroll">{}</div>').format(self._rows(table, rows, number, sort))
        if pages > 1 and look.address:
            body += self._pager(number, sort, page, pages)
        elif total > len(rows):
            body += Markup('<p class="pad sm dim">{} more rows</p>').format(f"{total - len(rows):,}")
        title = self.value(table["title"]) or caption or "Table"
        return self._framed(number, title, note, self._download(number, "csv", "CSV"), body)

    def _rows(self, table: dict[str, Any], rows: list[list[Any]], number: int, sort: int) -> Markup:
        head, foot = head_of(table), foot_of(table)
        numeric = [_is_numeric(rows, column) for column in range(max(map(len, rows), default=0))]
        parts = [Markup('<table class="tbl">')]
        if head is not None:
            cells = [self._head(cell, column, number, sort, numeric) for column, cell in enumerate(head)]
            parts += [Markup("<thead><tr>"), *cells, Markup("</tr></thead>")]
        parts.append(Markup("<tbody>"))
        for row in rows:
            line = self._row(row, numeric, table["row_headers"] is not None)
            self.room -= len(line)
            parts.append(line)
            if self.room <= 0:
                parts.append(Markup("<tr><td>…</td></tr>"))
                break
        parts.append(Markup("</tbody>"))
        if foot is not None:
            parts += [Markup("<tfoot>"), self._row(foot, numeric, False), Markup("</tfoot>")]
        return Markup("").join([*parts, Markup("</table>")])

    def _row(self, row: list[Any], numeric: Sequence[bool], headed: bool) -> Markup:
        cells = []
        for column, cell in enumerate(row):
            css = Markup(' class="num"') if column < len(numeric) and numeric[column] else Markup("")
            tag = Markup('<th scope="row"{}>{}</th>') if headed and column == 0 else Markup("<td{}>{}</td>")
            cells.append(tag.format(css, self.cell(cell)))
        return Markup("<tr>{}</tr>").format(Markup("").join(cells))

    def _head(self, cell: Any, column: int, number: int, sort: int, numeric: Sequence[bool]) -> Markup:
        css = Markup(' class="num"') if column < len(numeric) and numeric[column] else Markup("")
        text = self.cell(cell)
        if not self.look.address or number < 0 or not text or "<a" in text:
            return Markup('<th scope="col"{}>{}</th>').format(css, text)
        wanted = -(column + 1) if sort == column + 1 else column + 1
        mark, said = (
            ("", "") if abs(sort) != column + 1 else ("↑", "ascending") if sort > 0 else ("↓", "descending")
        )
        order = Markup(' aria-sort="{}"').format(said) if said else Markup("")
        link = self._link(
            number,
            wanted,
            1,
            Markup("{}{}").format(
                text, Markup(' <span aria-hidden="true">{}</span>').format(mark) if mark else ""
            ),
        )
        return Markup('<th scope="col"{}{}>{}</th>').format(css, order, link)

    def _pager(self, number: int, sort: int, page: int, pages: int) -> Markup:
        parts = [self._link(number, sort, page - 1, "Previous")] if page > 1 else []
        parts.append(Markup("<span>Page {} of {}</span>").format(f"{page:,}", f"{pages:,}"))
        parts += [self._link(number, sort, page + 1, "Next")] if page < pages else []
        return Markup('<p class="row pager sm">{}</p>').format(Markup(" ").join(parts))

    def _link(self, number: int, sort: int, page: int, text: Any) -> Markup:
        wanted = urlencode({"t": number, "sort": sort, "p": page})
        return Markup(
            '<a href="{}?{}#r-{}" hx-get="{}?{}" hx-target="#r-{}" hx-swap="outerHTML">{}</a>'
        ).format(self.look.here, wanted, number, self.look.address, wanted, number, text)

    def _download(self, number: int, form: str, word: str) -> Markup:
        if not self.look.address:
            return Markup("")
        return Markup('<a class="btn bare s push" href="{}?format={}&amp;piece={}">{}{}</a>').format(
            self.look.address, form, number, self.look.icon("down"), word
        )

    def _code(self, piece: dict[str, Any], number: int, caption: Markup) -> Markup:
        shown, more = cut_code(piece["content"], max(2_000, min(self.look.code, self.room // 3)))
        code = highlight(
            clean_text(shown), piece["language"], marked=piece["hl_lines"], numbers=piece["line_numbers"]
        )
        note = ", ".join(filter(None, ("code" if caption else "", piece["language"])))
        copy = Markup("")
        if self.look.address:
            button = Markup(
                '<button class="btn bare s push" type="button" data-copy="#c-{}" hidden>{}Copy</button>'
            )
            copy = (
                self._download(number, "txt", "Show all")
                if more
                else button.format(number, self.look.icon("copy"))
            )
        body = Markup('<pre class="code" id="c-{}" tabindex="0">\n{}</pre>').format(number, code)
        if more:
            body += Markup('<p class="pad sm dim">Cut here: {} more {}.</p>').format(
                f"{more:,}", "line" if more == 1 else "lines"
            )
        return self._framed(number, caption or "Code", note, copy, body)

    def _chart(self, piece: dict[str, Any], number: int, caption: Markup) -> Markup:
        table = table_of(piece)
        numbers = self._rows(table, rows_of(table)[: self.look.rows], -1, 0)
        body = Markup('<div class="pad scroll">{}</div>').format(chart.svg(piece))
        body += Markup(
            '<details class="whole"><summary class="sm">The numbers</summary><div class="scroll">{}</div></details>'
        ).format(numbers)
        title = self.value(piece["title"]) or caption or "Chart"
        return self._framed(number, title, "image, SVG", self._download(number, "svg", "SVG"), body)

    def _metric(self, piece: dict[str, Any]) -> Markup:
        unit = (
            Markup(" <small>{}</small>").format(" ".join(filter(None, (piece["unit"], piece["note"]))))
            if piece["unit"] or piece["note"]
            else ""
        )
        shown = (
            chart.number(piece["value"])
            if isinstance(piece["value"], int | float) and not isinstance(piece["value"], bool)
            else plain_text(piece["value"])
        )
        return Markup("<div{}><dt>{}</dt><dd>{}{}</dd></div>").format(
            _looks(piece), _clean(piece["label"]), _clean(shown), unit
        )

    # Pieces wherever they stand

    def cell(self, value: Any) -> Markup:
        if isinstance(value, str):
            return _lines(value if len(value) <= MOST_CELL else value[:MOST_CELL] + "…")
        return self.value(value)

    def value(self, value: Any) -> Markup:
        if self.room <= 0:
            return Markup("…")
        if isinstance(value, dict):
            made = self.piece(value)
            self.room -= len(made)
            return made
        if isinstance(value, list):
            return Markup(" ").join(map(self.value, value[:MOST_ITEMS]))
        return _lines(plain_text(value))

    def piece(self, piece: dict[str, Any]) -> Markup:
        made: Markup = getattr(self, f"_show_{piece['kind']}")(piece)
        return made

    def _show_heading(self, piece: dict[str, Any]) -> Markup:
        tag = f"h{min(6, piece['level'] + 2)}"
        return Markup("<{}{}>{}</{}>").format(
            tag, _looks(piece, f"rh{piece['level']}"), self.value(piece["content"]), tag
        )

    def _show_text(self, piece: dict[str, Any]) -> Markup:
        # What holds others is no paragraph: browsers would end it before them.
        tag = "div" if isinstance(piece["content"], dict | list) else _text_tag(piece["tag"])
        return Markup("<{}{}>{}</{}>").format(tag, _looks(piece), self.value(piece["content"]), tag)

    def _show_blockquote(self, piece: dict[str, Any]) -> Markup:
        return Markup("<blockquote{}>{}</blockquote>").format(_looks(piece), self.value(piece["content"]))

    def _show_markdown(self, piece: dict[str, Any]) -> Markup:
        rendered = html.render(piece["content"][: min(MOST_HTML, max(0, self.room))])
        return Markup('<div class="prose" hx-disable>{}</div>').format(self._sanitized(rendered))

    def _show_html(self, piece: dict[str, Any]) -> Markup:
        given = piece["content"][: min(MOST_HTML, max(0, self.room))]
        try:
            rendered = html.sanitize_around_form(given, marks=False)
        except (html.TooDeep, RecursionError):
            rendered = html.verbatim(given)
        return Markup('<div class="prose" hx-disable>{}</div>').format(self._sanitized(rendered))

    def _show_data(self, piece: dict[str, Any]) -> Markup:
        return Markup('<div class="json scroll" hx-disable>{}</div>').format(
            self._sanitized(html.json_table(piece["content"]))
        )

    def _show_list(self, piece: dict[str, Any]) -> Markup:
        items = piece["items"]
        shown = [
            Markup("<li>{}</li>").format(self.value(item)) for item in items[:MOST_ITEMS] if self.room > 0
        ]
        if len(shown) < len(items):
            shown.append(Markup("<li>{} more</li>").format(f"{len(items) - len(shown):,}"))
        tag = "ol" if piece["ordered"] else "ul"
        return Markup("<{}{}>{}</{}>").format(tag, _looks(piece, "items"), Markup("").join(shown), tag)

    def _show_rule(self, _: dict[str, Any]) -> Markup:
        return Markup("<hr>")

    def _show_header(self, piece: dict[str, Any]) -> Markup:
        sides = [
            Markup("<span>{}</span>").format(self.value(piece[side])) for side in ("left", "center", "right")
        ]
        return Markup('<div class="edges sm dim">{}</div>').format(Markup("").join(sides))

    _show_footer = _show_header

    def _show_metric(self, piece: dict[str, Any]) -> Markup:
        return Markup('<dl class="figs">{}</dl>').format(self._metric(piece))

    def _show_table(self, piece: dict[str, Any]) -> Markup:
        return self._rows(piece, rows_of(piece)[:ROWS], -1, 0)

    def _show_chart(self, piece: dict[str, Any]) -> Markup:
        return Markup('<div class="scroll">{}</div>').format(chart.svg(piece))

    def _show_code(self, piece: dict[str, Any]) -> Markup:
        shown, more = cut_code(piece["content"], max(500, min(20_000, self.room // 3)))
        rest = Markup("\n… ({} more lines)").format(f"{more:,}") if more else ""
        return Markup('<pre class="code">\n{}{}</pre>').format(
            highlight(clean_text(shown), piece["language"]), rest
        )

    def _show_image(self, piece: dict[str, Any]) -> Markup:
        source, text = self._source(piece["source"]), _clean(piece["alt"] or piece["title"] or "Image")
        if not source:
            return (
                self._link_to(piece["source"], text)
                if piece["source"].startswith(("http:", "https:"))
                else escape(f"[{text}]")
            )
        size = Markup("").join(
            Markup(' {}="{}"').format(name, piece[name]) for name in ("width", "height") if piece[name]
        )
        title = Markup(' title="{}"').format(_clean(piece["title"])) if piece["title"] else ""
        return Markup('<img class="shot" src="{}" alt="{}"{}{} loading="lazy">').format(
            source, text, title, size
        )

    def _source(self, source: str) -> str:
        """Return the address of an image that may be shown; "" for any other."""
        look = self.look
        if source.startswith("data:"):
            return source if look.images else ""
        if source.startswith("/"):
            return look.files.get(source, "")
        where = urlsplit(source)
        return (
            source if where.scheme == "https" and where.netloc.lower() in look.hosts and look.images else ""
        )

    def _show_object(self, piece: dict[str, Any]) -> Markup:
        text = _clean(piece["text"])
        if not piece["url"] or not (self.look.address or self.look.prefix):
            return escape(text)
        own = piece["url"].startswith("/") and not piece["url"].startswith("//")
        address = f"{self.look.prefix}{piece['url']}" if own else piece["url"]
        rel = "" if own else Markup(' rel="noopener nofollow"')
        return Markup('<a class="obj" href="{}"{}>{}<span class="cut">{}</span></a>').format(
            address, rel, self.look.icon("object"), text
        )

    def _show_file(self, piece: dict[str, Any]) -> Markup:
        text = _clean(piece["text"] or piece["source"].rpartition("/")[2])
        address = self.look.files.get(piece["source"], "")
        if not address or not self.look.address:
            return escape(text)
        return Markup('<a href="{}">{}{}</a>').format(address, self.look.icon("file"), text)

    def _sanitized(self, rendered: str) -> Markup:
        """Mark as safe what `store.html` has sanitized."""
        if self.look.prefix:
            rendered = html.links_below(rendered, self.look.prefix)
        return Markup(clean_text(rendered))  # noqa: S704

    def _link_to(self, address: str, text: str) -> Markup:
        return Markup('<a href="{}" rel="noopener nofollow">{}</a>').format(address, text)


def _is_caption(pieces: list[dict[str, Any]], number: int) -> bool:
    """Tell whether a heading belongs to the figure behind it, which has no title of its own."""
    piece = pieces[number]
    following = pieces[number + 1] if number + 1 < len(pieces) else None
    return bool(
        piece["kind"] == "heading"
        and piece["level"] >= 2
        and following is not None
        and following["kind"] in FIGURES
        and not following.get("title")
    )


def _is_numeric(rows: list[list[Any]], column: int) -> bool:
    found = [row[column] for row in rows if column < len(row) and row[column] not in (None, "")]
    return bool(found) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in found)


def _looks(piece: dict[str, Any], css: str = "") -> Markup:
    """Return the class of what was asked for as size and colour."""
    size = f"sz-{piece['size']}" if "size" in piece else ""
    color = f"is-{piece['color']} co" if "color" in piece else ""
    names = " ".join(
        filter(None, (css, size, color.replace("is-info", "is-run").replace("is-dim", "is-wait")))
    )
    return Markup(' class="{}"').format(names) if names else Markup("")


def _text_tag(tag: str) -> str:
    # A page has headings of its own; and what stands between blocks is a block.
    return "pre" if tag in ("pre", "code") else "p"


def _lines(text: str) -> Markup:
    return Markup("<br>").join(map(escape, clean_text(text).split("\n")))


def _clean(text: str) -> str:
    return clean_text(text)
