"""What job files of Bots Scheduler import with a star."""

from collections import OrderedDict

from jobs.bots.base import JobBase, ip2int, report
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
    "JobBase",
    "List",
    "OrderedDict",
    "Report",
    "Rule",
    "Section",
    "Subsection",
    "Subsubsection",
    "Subsubsubsection",
    "Table",
    "Text",
    "Title",
    "ip2int",
    "report",
]
