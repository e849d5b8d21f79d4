"""What would keep markdown and the sanitizer busy for too long: such a text is shown as it was written.

Markdown of the greatest length takes about 0.2 s where it is dense, most of it in the sanitizer and by the number
of elements that come out. What would take much more is counted here; each limit was found by trying.
"""

import re

MOST_CHARACTERS = 16_384
MOST_LINES = 1_000
MOST_BRACKETS = 200
MOST_ANGLES = 300

#: The widest row times the number of rows: every row of a table gets as many cells as its head has.
MOST_CELLS = 1_500

#: All that may begin or end an element, together.
MARKS = ("\n", "*", "_", "`", "<", ">", "&", "|", "\\", "- ", "+ ", ". ")
MOST_MARKS = 2_000

#: Quotes and lists that begin one inside the other in one line.
_DEEP = re.compile(r"^[ ]*+(?:(?:>[ ]?|(?:[-+*]|\d++\.)[ ])[ ]*+){20}", re.MULTILINE)


def too_costly(text: str) -> bool:
    """Tell whether rendering `text` would take out of all proportion to its length."""
    return (
        len(text) > MOST_CHARACTERS
        or text.count("\n") > MOST_LINES
        or text.count("[") > MOST_BRACKETS
        or text.count("<") > MOST_ANGLES
        or sum(map(text.count, MARKS)) > MOST_MARKS
        or _cells(text) > MOST_CELLS
        or _DEEP.search(text) is not None
    )


def _cells(text: str) -> int:
    if "|" not in text:
        return 0
    rows = text.split("\n")
    return len(rows) * (1 + max(row.count("|") for row in rows))
