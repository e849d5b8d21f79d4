"""The figures as a table for people, and as one JSON document for programs."""

import os
import platform
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.figures import Figure
from benchmarks.run import Taken
from store.models import now

HEADINGS = ("", "ours", "bare", "ratio", "must", "")


def as_data(taken: Sequence[Taken], *, quick: bool) -> dict[str, Any]:
    return {
        "taken_at": now().isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "figures": [_figure(one, figure) for one in taken for figure in one.figures],
        "skipped": [_reason(one, one.skipped) for one in taken if one.skipped],
        "broke": [_reason(one, one.broke) for one in taken if one.broke],
        "held": all(one.held for one in taken),
    }


def _figure(one: Taken, figure: Figure) -> dict[str, Any]:
    return {
        "measure": one.measure,
        "database": one.database,
        "label": figure.label,
        "unit": figure.unit,
        "ours": _rounded(figure.ours),
        "bare": _rounded(figure.bare),
        "bare_label": figure.bare_label,
        "ratio": _rounded(figure.ratio),
        "must": figure.must,
        "held": figure.held,
        "details": {name: _rounded(value) for name, value in figure.details.items()},
    }


def _reason(one: Taken, why: str) -> dict[str, str]:
    return {"measure": one.measure, "database": one.database, "why": why}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def as_table(taken: Sequence[Taken]) -> str:
    """Return one table a database, as text."""
    parts = []
    for database in dict.fromkeys(one.database for one in taken):
        rows = [row for one in taken if one.database == database for row in _rows(one)]
        parts.append("\n".join([database.upper(), *_aligned(_filled([HEADINGS, *rows]))]))
    return "\n\n".join(parts)


def _rows(one: Taken) -> Iterable[tuple[str, ...]]:
    for figure in one.figures:
        bare = "" if figure.bare is None else f"{_short(figure.bare)} ({figure.bare_label})"
        yield (
            figure.label,
            f"{_short(figure.ours)} {figure.unit}",
            bare,
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.must,
            "ok" if figure.held else "MISSED",
        )
    if one.skipped:
        yield (one.measure, "skipped:", one.skipped, "", "", "")
    if one.broke:
        yield (one.measure, "broke:", " ".join(one.broke.split()), "", "", "MISSED")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _filled(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """Leave out the columns that hold nothing below their heading."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    return list(zip(*columns, strict=True))


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    # A reason is a sentence: it may run on, and must not push the other columns away.
    widths = [
        max(len(row[column]) for row in rows if not row[1].endswith(":")) for column in range(len(rows[0]))
    ]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
