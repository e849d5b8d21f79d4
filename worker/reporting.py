"""What a run reports on its way to the database: held against its shape, cleaned, masked, kept with its result."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert

from jobs.report.shape import fit
from store.models import RunReport
from store.text import clean_text
from worker.masking import Mask


def masked_report(data: Any, mask: Mask) -> dict[str, Any]:
    """Return a report that a child sent as it is kept. Nothing in it is trusted: what does not fit is left out."""

    def clean(value: Any) -> Any:
        # Any of its texts may have been cut in the middle of a secret.
        return mask.message(clean_text(value), cut=True) if isinstance(value, str) else mask.data(value)

    return fit(data, clean)[0]


def write_report(connection: Connection, result_id: UUID, report: dict[str, Any] | None) -> None:
    """Keep the report instead of that of an earlier attempt."""
    connection.execute(delete(RunReport).where(RunReport.result_id == result_id))
    if report and report["pieces"]:
        row = {"result_id": result_id, "data": report, "pieces": len(report["pieces"])}
        connection.execute(insert(RunReport).values(row))
