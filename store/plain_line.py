"""Most lines of a log hold no markdown: a pattern recognizes them, 200 times as fast as markdown finds nothing.

What `paragraph` returns is byte for byte what `store.html` makes of the same line the long way. That depends on
the extensions, and on the versions, of Markdown and bleach; tests compare the two, and
`benchmarks/fuzz_rendering.py` does so for as long as one likes.
"""

import re

# No character here means anything to markdown, wherever it stands between the first and the last of a line.
_ASCII = r"[ !-%'-)+-;=?-\[^a-z{-~]*+"

_PLAIN_LINE = re.compile(
    rf"""
    (?!                                     # A line begins with nothing that opens a block:
        [\s\#>]                             #   indentation, a heading, a quote,
      | [-+*][ ] | \d+\.[ ]                 #   an item of a list,
      | [-_][-_ ]*\Z                        #   a rule,
      | \[[^][]*\]:[ ]*<?[A-Za-z]+:          #   or the address of a link.
    )
    {_ASCII}
    (?:
        (?:
            \](?!\()                        # No link, for no address follows,
          | _(?=[A-Za-z0-9])                # no emphasis: nothing here could end one,
          | [^\x00-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]++
          | >
          | <(?![A-Za-z][A-Za-z0-9+.-]*+://|[^<> !]+@)
          | &(?![A-Za-z0-9#]++;)            # no character reference,
          | \*(?=[ ])                       # and nothing begin one,
          | \\(?![\\`*_{{}}\[\]()>\#+\-.!|])  # and nothing escaped.
        )
        {_ASCII}
    )*+
    """,
    re.VERBOSE,
).fullmatch


def paragraph(text: str) -> str | None:
    """Return the HTML of one line that is clean and holds no markdown; None for any other text."""
    if not text or _PLAIN_LINE(text) is None:
        return None
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return f"<p>{text}</p>"
