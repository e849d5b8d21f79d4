"""Jobs that take in what others have written down."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from jobs import BooleanVar, FileVar, Job, JobFailed, ObjectVar

from ..models import Device, DeviceRole, DeviceType, Site, Status

name = "Import"

COLUMNS = ("name", "model", "role")


class ImportDevices(Job):
    """
    Take devices into a site from a **CSV file** with the columns `name`, `model` and `role`.

    Lines that do not fit are left out, and kept in a file of their own with what is wrong about each.
    """

    class Meta:
        name = "Import devices"
        commit_default = False

    site = ObjectVar(model=Site, description="Where the devices stand.")
    table = FileVar(
        label="CSV file",
        description="As spreadsheets save it, in UTF-8.",
        accept=[".csv", "text/csv"],
        max_bytes=10 * 1024 * 1024,
    )
    strict = BooleanVar(description="Take all lines or none")

    def run(self, site: Site, table: Any, strict: bool) -> dict[str, int]:
        lines = list(self.read(table))
        refused: list[dict[str, str]] = []
        for number, line in enumerate(lines, 1):
            self.progress(number, len(lines), f"Line {number:,} of {len(lines):,}")
            problem = self.take(line, site)
            if problem:
                self.log_warning(message=f"Line {number}: {problem}")
                refused.append({**line, "problem": problem})
        if refused:
            self.keep(refused)
        if refused and strict:
            raise JobFailed(f"{len(refused)} of {len(lines)} lines do not fit, so none was taken.")
        return {"taken": len(lines) - len(refused), "left out": len(refused)}

    def read(self, table: Any) -> Iterator[dict[str, str]]:
        # Spreadsheets begin a file with a mark that is none of its text.
        reader = csv.DictReader(io.TextIOWrapper(table, "utf-8-sig"))
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise JobFailed(f"{table.name} has no column {', '.join(missing)}.")
        for line in reader:
            yield {column: (line[column] or "").strip() for column in COLUMNS}

    def take(self, line: dict[str, str], site: Site) -> str:
        """Make one device, or say what is wrong."""
        model = DeviceType.objects.filter(model=line["model"]).first()
        role = DeviceRole.objects.filter(name=line["role"]).first()
        if not line["name"]:
            return "It has no name."
        if model is None or role is None:
            return f"There is no {'model ' + line['model'] if model is None else 'role ' + line['role']}."
        if Device.objects.filter(site=site, name=line["name"]).exists():
            return f"{line['name']} is there already."
        status = Status.objects.get(slug="planned")
        device = Device(name=line["name"], site=site, device_type=model, device_role=role, status=status)
        device.validated_save()
        self.log_success(device, "Taken in")
        return ""

    def keep(self, refused: list[dict[str, str]]) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, [*COLUMNS, "problem"])
        writer.writeheader()
        writer.writerows(refused)
        self.create_file("left out.csv", table.getvalue())
