"""All pieces of reports."""

import jobs.report
from jobs.report.pieces import Piece
from webapp.cli.reference.tables import arguments, first_line, table

HEAD = ("piece", "is", "takes")


def text() -> str:
    common = [argument.partition("=")[0] for argument in arguments(Piece)]
    found = [
        piece
        for name in jobs.report.__all__
        if isinstance(piece := getattr(jobs.report, name), type) and issubclass(piece, Piece)
    ]
    rows = (
        (
            f"`{piece.__name__}`",
            _is(piece),
            ", ".join(f"`{word}`" for word in arguments(piece, without=common)),
        )
        for piece in found
        if piece is not Piece
    )
    return "## Pieces\n\n" + table(HEAD, rows)


def _is(piece: type[Piece]) -> str:
    """Return what it says of itself, else what the piece says that it is a kind of."""
    return next(said for base in piece.__mro__ if (said := first_line(base)))
