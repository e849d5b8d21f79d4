"""What a run reports beside its log: pieces that are data, shown as pages, mails and files.

from jobs.report import Section, Table
self.report.append(Section("Sites"), Table(rows, column_headers=["Site", "Devices"]))
"""

from jobs.report.figures import Chart, Metric
from jobs.report.images import Image
from jobs.report.links import File, ObjectLink
from jobs.report.pieces import (
    Blockquote,
    Code,
    Data,
    Footer,
    Header,
    Html,
    List,
    Markdown,
    Piece,
    Rule,
    Section,
    Subsection,
    Subsubsection,
    Subsubsubsection,
    Text,
    Title,
)
from jobs.report.report import Report, report_of
from jobs.report.table import Table

__all__ = [
    "Blockquote",
    "Chart",
    "Code",
    "Data",
    "File",
    "Footer",
    "Header",
    "Html",
    "Image",
    "List",
    "Markdown",
    "Metric",
    "ObjectLink",
    "Piece",
    "Report",
    "Rule",
    "Section",
    "Subsection",
    "Subsubsection",
    "Subsubsubsection",
    "Table",
    "Text",
    "Title",
    "report_of",
]
