"""What a job's process says by other ways than the job's own log becomes entries, plain and in order."""

import pytest

from tests.worker.conftest import Portal, StartWorker
from worker import entries
from worker.capture import MOST_MESSAGE_CHARACTERS

pytestmark = pytest.mark.parametrize("live", ["sqlite"], indirect=True)

REPLACED = "\N{REPLACEMENT CHARACTER}"


def said(portal: Portal, how: str) -> list[tuple[str, str]]:
    """Return (level, text) of what a run of `Prints` said."""
    result = portal.run("Prints", raw={"how": how})
    assert result.status == "completed", result.cause
    return [(level, text) for level, _, text in portal.messages(result)]


def texts(portal: Portal, how: str) -> list[str]:
    return [text for _, text in said(portal, how)]


def test_text_without_an_end_of_line_arrives_at_the_end(portal: Portal):
    assert said(portal, "no_newline") == [("info", "no newline")]


def test_all_ways_to_say_something_keep_their_order(portal: Portal):
    found = said(portal, "order")
    assert [(level, next(part for part in text if part.isdigit())) for level, text in found] == [
        ("info", "1"),
        ("info", "2"),
        ("info", "3"),
        ("warning", "4"),
        ("info", "5"),
        ("info", "6"),
        ("warning", "7"),
    ]


@pytest.mark.parametrize("how", ["long_line", "long_line_of_a_program"])
def test_a_line_of_64_megabytes_is_cut_and_says_how_much_is_missing(portal: Portal, how: str):
    [text] = texts(portal, how)
    kept, _, note = text.partition("…")
    assert kept == "x" * MOST_MESSAGE_CHARACTERS
    # What came behind its 64 MB, and the line still does not end there, counts too.
    whole = 64 * 1024**2 + (how == "long_line")
    assert note == f" (cut: {whole - MOST_MESSAGE_CHARACTERS:,} more characters)"


def test_a_flood_is_counted_where_it_is_not_kept(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entries, "MOST_ENTRIES", 100)
    result = portal.run("Prints", raw={"how": "many_lines"})
    messages = [text for _, _, text in portal.messages(result)]
    assert messages[:100] == [str(number) for number in range(100)]
    # 400 numbers, and that the changes were taken back.
    assert messages[-1].startswith("401 more entries were dropped: ")
    assert any("the last word" in text for text in messages[100:-1]), "why it broke is kept all the same"
    assert len(messages) == result.last_seq == 102


def test_a_run_keeps_only_so_many_bytes(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entries, "MOST_BYTES", 100)
    messages = [text for _, _, text in portal.messages(portal.run("Prints", raw={"how": "many_lines"}))]
    # Ten numbers of one digit and 45 of two.
    assert messages[:55] == [str(number) for number in range(55)]
    assert messages[-1].startswith("446 more entries were dropped: ")


def test_a_gigabyte_that_a_program_writes_is_counted_where_it_is_not_kept(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(entries, "MOST_ENTRIES", 1_000)
    *kept, note = texts(portal, "flood")
    # What is read at once is kept or counted as a whole, but for a line that lies across two reads.
    assert set(kept) == {"y"}
    dropped = int(note.partition(" ")[0].replace(",", ""))
    assert abs(len(kept) + dropped - 500_000_000) <= 1


def test_what_is_left_running_does_not_speak_in_the_next_run(portal: Portal, start_worker: StartWorker):
    """Shown with a real worker: orphans come to it."""
    leaving, after = (portal.submit("Prints", raw={"how": how}) for how in ("writes_on", "no_newline"))
    assert start_worker("--burst").wait(60) == 0
    *heard, note = [text for _, _, text in portal.messages(leaving)]
    assert {text[:3] for text in heard} == {"xxx"}
    assert note.startswith("Killed at the end of the run: ")
    assert [text[:20] for _, _, text in portal.messages(after)] == ["no newline"]


def test_bytes_that_are_no_text_are_replaced(portal: Portal):
    # What comes by a system call keeps no order with the rest.
    found = sorted(texts(portal, "garbage"), key=len)
    assert found[0] == f"{REPLACED}({REPLACED}{REPLACED}"
    assert found[1] == f"{REPLACED * 3}garbage{REPLACED}"
    assert found[2].startswith(f"nul {REPLACED} surrogate ")
    assert "\u202e" not in found[2]


def test_what_is_meant_for_a_terminal_is_taken_away(portal: Portal):
    assert texts(portal, "terminal") == ["red and plain", "100 %", "done"]


def test_what_goes_past_python_is_heard_too(portal: Portal):
    assert set(texts(portal, "past_python")) == {
        "by C, buffered",
        "by the first stdout",
        "by a system call",
        "by a program",
        "by a program, given",
    }


def test_libraries_are_heard_from_warning_up_and_the_job_file_in_all(portal: Portal):
    found = said(portal, "by_libraries")
    assert [level for level, _ in found] == ["debug", "warning", "error", "error"]
    assert found[0][1].endswith(": my own logger")
    assert found[1][1] == "a.library: by a library"


def test_a_warning_names_its_kind_and_place(portal: Portal):
    [(level, text)] = said(portal, "warns")
    assert (level, text.partition(" (")[0]) == ("warning", "UserWarning: mind this")
    assert "poison.py, line " in text


def test_a_thread_that_breaks_is_told_and_one_that_exits_is_not(portal: Portal):
    first, second = said(portal, "in_a_thread")
    assert first == ("info", "by the thread")
    assert second[0] == "error"
    assert second[1].startswith("The thread t1 broke:\nTraceback")
    assert second[1].endswith("ValueError: in the thread")


@pytest.mark.parametrize("how", ["replaced", "closed"])
def test_a_job_may_do_with_its_streams_what_it_likes(portal: Portal, how: str):
    assert texts(portal, how)[-1] == "still here"
    assert texts(portal, "no_newline") == ["no newline"], "the next run has streams of its own"


def test_nobody_answers_a_job_that_asks(portal: Portal):
    assert "nobody answers" in texts(portal, "reads")


def test_a_handler_made_with_the_module_works_in_the_next_run_too(portal: Portal):
    runs = [portal.run("LogsByAHandlerOfItsModule") for _ in range(2)]
    assert [[text for _, _, text in portal.messages(run)] for run in runs] == [
        ["by the module's handler"]
    ] * 2
    assert runs[0].return_value == runs[1].return_value, "they share a process"


def test_what_a_library_took_for_stderr_in_an_earlier_run_is_heard(portal: Portal):
    for said in ("first", "second", "third"):
        assert portal.messages(portal.run("WritesToItsSink", raw={"said": said})) == [
            ("info", "Sinking", said)
        ]


def test_loguru_is_heard_with_its_levels_and_what_was_bound(portal: Portal):
    for said in ("first", "second"):
        *plain, (level, grouping, trace) = portal.messages(portal.run("SpeaksByLoguru", raw={"said": said}))
        assert plain == [("success", "run", said), ("critical", "lab", "No answer")]
        assert (level, grouping) == ("error", "run")
        assert trace.startswith("It broke\nTraceback")
        assert trace.endswith(f"OSError: {said}")
