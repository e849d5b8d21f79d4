"""What programs write, cut into lines."""

from worker.capture import Lines


def test_a_line_that_comes_in_pieces_is_one_and_what_is_drawn_over_is_gone():
    kept: list[tuple[str, int]] = []
    lines = Lines(lambda text, more: kept.append((text, more)))
    for piece in (b"10 %\r2", b"0 %\r", b"\r\nhalf", b" and half\n", b"\n \n", b"last"):
        lines.feed(piece)
    lines.end()
    assert kept == [("20 %", 0), ("half and half", 0), ("last", 0)]
