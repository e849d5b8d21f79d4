"""A job as a class: inputs, a log in steps, and a report."""

import heapq
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jobs import ChoiceVar, IntegerVar, Job, JobFailed, StringVar
from jobs.report import Chart, Metric, Report, Table

name = "Errand's own"

MEGABYTE = 1024 * 1024


class LargestFiles(Job):
    """
    Find the **largest files** below a folder of the worker's machine.

    Links are not followed, and what may not be read is told and left out.
    """

    class Meta:
        name = "Largest files"
        read_only = True
        presets = {"Logs": {"folder": "/var/log", "by": "kind"}}

    folder = StringVar(description="Such as `/var/log`.", regex=r"^/", default="/var/log")
    count = IntegerVar(description="How many are listed.", default=10, min_value=1, max_value=200)
    by = ChoiceVar(
        label="Chart",
        choices=[("folder", "By folder"), ("kind", "By kind of file")],
        default="folder",
    )

    def run(self, folder: str, count: int, by: str) -> Report:
        root = Path(folder)
        if not root.is_dir():
            raise JobFailed(f"There is no folder {folder} on this machine.")
        with self.step("Looking"):
            sizes = dict(self.sizes(root))
        total = sum(sizes.values())
        self.log_success(f"Found **{len(sizes):,}** files with {total / MEGABYTE:,.1f} MB.")
        largest = heapq.nlargest(count, sizes.items(), key=lambda each: each[1])
        shares: Counter[str] = Counter()
        for path, size in sizes.items():
            shares[path.suffix or "none" if by == "kind" else self.below(root, path)] += size
        return Report(
            Metric("Files", len(sizes)),
            Metric("All together", round(total / MEGABYTE, 1), unit="MB"),
            Chart(
                [(what, round(size / MEGABYTE, 2)) for what, size in shares.most_common(10)],
                title=f"The largest by {by}",
                unit="MB",
            ),
            Table(
                [[str(path.relative_to(root)), round(size / MEGABYTE, 2)] for path, size in largest],
                column_headers=["File", "MB"],
            ),
            title=f"The largest files below {folder}",
        )

    def sizes(self, root: Path) -> Iterator[tuple[Path, int]]:
        for number, path in enumerate(root.rglob("*"), 1):
            if number % 1000 == 0:
                self.progress(number, text=f"{number:,} looked at")
            try:
                if path.is_file() and not path.is_symlink():
                    yield path, path.stat().st_size
            except OSError as error:
                self.log_warning(f"`{path}` was left out: {error.strerror}.")

    def below(self, root: Path, path: Path) -> str:
        parts = path.relative_to(root).parts
        return parts[0] if len(parts) > 1 else "."
