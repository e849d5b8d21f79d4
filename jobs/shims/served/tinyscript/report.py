"""The parts of reports, as Tinyscript has them."""

from jobs.report import (
    Blockquote,
    Code,
    Data,
    Footer,
    Header,
    Image,
    List,
    Report,
    Rule,
    Section,
    Subsection,
    Subsubsection,
    Subsubsubsection,
    Table,
    Text,
    Title,
)

__all__ = [
    "Blockquote",
    "Code",
    "Data",
    "Footer",
    "Header",
    "Image",
    "List",
    "Report",
    "Rule",
    "Section",
    "Subsection",
    "Subsubsection",
    "Subsubsubsection",
    "Table",
    "Text",
    "Title",
]
