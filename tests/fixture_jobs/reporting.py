"""Jobs that report."""

import os
import tempfile
from pathlib import Path

from jobs import Job, SecretVar
from jobs.report import Code, File, Image, List, ObjectLink, Report, Section, Table, Text

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fe0def46b8"
    "0000000049454e44ae426082"
)


class Thing:
    def get_absolute_url(self) -> str:
        return "/objects/things/1"

    def __str__(self) -> str:
        return "thing <1>"


class Reports(Job):
    """Reports by both ways, with a secret, a file on disk and an object."""

    password = SecretVar(required=False)

    def run(self, password):
        self.report.append(Section("First"), Table([[1, ObjectLink(Thing())]]))
        dot = Path(tempfile.mkdtemp(), "dot.png")
        dot.write_bytes(PIXEL)
        self.create_file("list.txt", "a\n")
        return Report(Text(f"It is {password}."), Image(dot), File("list.txt"), title="All of it")

    def test_more(self):
        return Code("exit 0", "bash")


class ReportsTooMuch(Job):
    """Reports more than is kept."""

    def run(self):
        deep = Text("bottom")
        for _ in range(60):
            deep = List(deep)
        within = List()
        within.items.append(within)
        return [deep, within, *(Text(number) for number in range(6_000)), Code("x" * 9_000_000)]


class ReportsAndBreaks(Job):
    """Reports, and breaks."""

    def run(self):
        self.report.append("As far as it came.")
        raise RuntimeError("broken")


class WritesReportsItself(Job):
    """Sends a report that no piece of ours makes."""

    report = "a name of its own"

    def run(self):
        self.report = self.report.upper()
        pieces = [
            {"kind": "object", "text": "x", "url": "javascript:alert(1)", "onclick": "alert(1)"},
            {"kind": "script", "content": "alert(1)"},
            {"kind": "text", "tag": "script", "content": {"kind": ["x"]}},
            {"kind": "table", "rows": 5, "headers": {"a": 1}},
            {"kind": "chart", "series": [{"values": ["x", True, 1e999]}, 3], "labels": ["a"]},
            {"kind": "text", "content": "\x00\ud800\u202e"},
            7,
        ]
        self._context.keep_report({"pieces": pieces})
        return os.getpid() and self.report
