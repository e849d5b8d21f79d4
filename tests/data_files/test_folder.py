"""What may be a data file, and how the folder and the table stay the same."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jobs.data_files import DataFile as Given
from jobs.data_files import DataFileVar, problem_of_name
from store.data_files import MARK, BadDataFile, Folder, OutOfDate, add, judge, left_out, remove, replace, sync
from store.models import AuditRecord, DataFile, User
from store.platform import Platform
from store.settings import Settings, load_settings

NOTHING: Any = None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "1 to 100"),
        ("x" * 97 + ".lst", "1 to 100"),
        ("../x.lst", "none of the characters"),
        ("a\\b.lst", "none of the characters"),
        ("a\x00.lst", "printable"),
        (".x.lst", "begins with no dot"),
        (" x.lst", "no space around"),
        (".lst", "begins with no dot"),
        ("x.csv", "ends with .dat, .lst, .raw or .txt"),
    ],
)
def test_names_are_one_plain_part_of_a_path(name: str, said: str):
    assert said in problem_of_name(name)


def test_contents_are_text_and_counted():
    facts = judge("\ufeff# Hosts of Bern\n\na\tb\r\n  # no\nc é".encode(), 100)
    assert (facts.entries, facts.description) == (2, "Hosts of Bern")
    for content, said in (
        (b"a\n\xff", "line 2 has other bytes"),
        (b"a\nb\x07", "Line 2 has a character that is not printable"),
        ("\u202ex".encode(), "Line 1 has"),
        (b"x" * 101, "at most 100 bytes"),
    ):
        with pytest.raises(BadDataFile, match=said):
            judge(content, 100)
    assert judge(b"", 100).entries == 0


def test_a_job_reads_it_as_lines_or_by_its_path(tmp_path: Path):
    path = tmp_path / "x.lst"
    path.write_bytes("\ufeff# d\n a \n\nb\n".encode())
    given = DataFileVar().restore({"name": "x.lst", "path": str(path)}, NOTHING)
    assert given is not None
    assert given.entries() == ["a", "b"]
    assert str(given) == os.fspath(given) == str(path)
    with given.open("rb") as file:
        assert file.read(3) == b"\xef\xbb\xbf"
    before = DataFileVar().restore("x.lst", NOTHING)
    assert before == Given("x.lst")
    assert DataFileVar().restore("", NOTHING) is None
    with pytest.raises(FileNotFoundError, match="read by runs only"):
        before.open()


def rows(platform: Platform) -> dict[str, tuple[int, str]]:
    with platform.reading() as db:
        return {row.name: (row.entries, row.username) for row in db.scalars(select(DataFile))}


def acts(platform: Platform) -> list[tuple[str, str, str]]:
    with platform.reading() as db:
        found = db.scalars(select(AuditRecord).order_by(AuditRecord.id))
        return [(row.actor, row.action, row.subject) for row in found if row.action.startswith("data-file")]


def test_the_table_follows_the_folder(live: Settings, live_platform: Platform, tmp_path: Path):
    engine, folder = live_platform.engine, live.data_files
    sync(live, engine)
    assert rows(live_platform) == {}
    (folder / "a.lst").write_bytes(b"1\n2\n")
    (folder / "bad.lst").write_bytes(b"\xff")
    (folder / "x.bin").write_bytes(b"1")
    (tmp_path / "secret.txt").write_bytes(b"hush")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "deeper").mkdir()
    os.mkfifo(folder / "pipe.txt")
    sync(live, engine)
    assert rows(live_platform) == {"a.lst": (2, "")}
    assert left_out(live, engine) == {
        "bad.lst": "This is not text in UTF-8: line 1 has other bytes.",
        "x.bin": "The name of a data file ends with .dat, .lst, .raw or .txt.",
    }
    (folder / "a.lst").write_bytes(b"1\n2\n3\n")
    sync(live, engine)
    sync(live, engine)
    assert rows(live_platform) == {"a.lst": (3, "")}
    # Another machine, whose folder is empty, takes nothing away, and does not take what is called the same.
    other = load_settings(live.instance, {"ERRAND_DATA_FILES": str(tmp_path / "other")})
    sync(other, engine)
    (other.data_files / "a.lst").write_bytes(b"other\n")
    sync(other, engine)
    assert rows(live_platform) == {"a.lst": (3, "")}
    assert left_out(other, engine) == {"a.lst": "A data file of another machine is called so."}
    (folder / "a.lst").unlink()
    sync(live, engine)
    assert rows(live_platform) == {}
    assert acts(live_platform) == [
        ("", "data-file.add", "a.lst"),
        ("", "data-file.replace", "a.lst"),
        ("", "data-file.delete", "a.lst"),
    ]


def test_people_add_replace_and_remove(live: Settings, live_platform: Platform, tmp_path: Path):
    folder = live.data_files
    with live_platform.session() as db:
        alice = User(username="alice")
        db.add(alice)
        db.commit()
        row = add(db, live, "a.lst", b"1\n", alice)
        first = row.digest
        with pytest.raises(BadDataFile, match=r"There is a data file a\.lst already"):
            add(db, live, "a.lst", b"2\n", alice)
        db.rollback()
        for name in ("../a.lst", MARK):
            with pytest.raises(BadDataFile) as refusal:
                add(db, live, name, b"2\n", alice)
            assert refusal.value.field == "name"
        assert (folder / "a.lst").read_bytes() == b"1\n"
        row = replace(db, live, row, b"1\n2\n", alice, first)
        with pytest.raises(OutOfDate, match="Somebody has changed"):
            replace(db, live, row, b"3\n", alice, first)
        assert (folder / "a.lst").read_bytes() == b"1\n2\n"
        # What lies there though no row knows it was put there by somebody else.
        (folder / "b.lst").write_bytes(b"theirs\n")
        with pytest.raises(BadDataFile, match="already"):
            add(db, live, "b.lst", b"mine\n", alice)
        db.rollback()
        other = load_settings(live.instance, {"ERRAND_DATA_FILES": str(tmp_path / "other")})
        with pytest.raises(BadDataFile, match="another machine"):
            remove(db, other, row, alice)
        remove(db, live, row, alice)
    assert sorted(os.listdir(folder)) == [MARK, "b.lst"]
    sync(live, live_platform.engine)
    assert rows(live_platform) == {"b.lst": (1, "")}
    assert Folder(live).id == (folder / MARK).read_text()
