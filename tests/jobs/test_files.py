"""Files, secrets and widgets as an author writes them, and files that lie beside a job's own."""

import io
from pathlib import Path
from typing import Any

import pytest

from jobs import FileVar, Job, MultiChoiceVar, SecretVar, StringVar
from jobs.beside import beside
from jobs.data import restore
from jobs.describe import describe
from jobs.errors import BadJob
from jobs.files import LONGEST_FILE_NAME, InputFile, Upload, file_name, in_units
from jobs.variables import REQUIRED
from jobs.widgets import widget_name
from tests.jobs.test_variables import Shelf, cleaned, described, refusal


def upload(name: str = "hosts.csv", content: bytes = b"a,b\n", kind: str = "text/csv") -> Upload:
    return Upload(name, io.BytesIO(content), kind)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("hosts.csv", "hosts.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\hosts.csv", "hosts.csv"),
        ("a\x00b\n.csv", "ab.csv"),
        ("gpj\u202efdp.exe", "gpjfdp.exe"),
        ("Grüße 🎉.txt", "Grüße 🎉.txt"),
        ("..", ""),
        ("/", ""),
        ("", ""),
        ("x" * 300 + ".csv", "x" * (LONGEST_FILE_NAME - 4) + ".csv"),
    ],
)
def test_a_name_is_the_last_part_of_what_was_given_fit_to_be_shown(given: str, shown: str):
    assert file_name(given) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KB"), (10 * 1024**2, "10 MB")],
)
def test_sizes_read_as_people_say_them(size: int, shown: str):
    assert in_units(size) == shown


@pytest.mark.parametrize(
    ("accept", "given", "taken"),
    [
        ([".csv"], upload("HOSTS.CSV"), True),
        ([".csv"], upload("hosts.txt"), False),
        (["text/csv"], upload(kind="text/csv; charset=utf-8"), True),
        (["text/csv"], upload(kind="text/plain"), False),
        (["image/*"], upload("a.png", kind="image/png"), True),
        (["image/*"], upload(), False),
        ("image/*", upload("a.png", kind="image/png"), True),
        ([], upload("anything", kind=""), True),
    ],
)
def test_only_kinds_that_are_accepted_are_taken(accept: Any, given: Upload, taken: bool):
    variable = FileVar(accept=accept)
    if taken:
        assert cleaned(variable, given).name == given.name
    else:
        assert "Choose a file of another kind" in refusal(variable, given)


def test_a_file_is_required_unless_it_is_not():
    assert refusal(FileVar(), "") == REQUIRED
    assert cleaned(FileVar(required=False), "") is None


def test_the_job_gets_the_file_open_with_what_is_known_of_it(tmp_path: Path):
    path = tmp_path / "1"
    path.write_bytes(b"line one\nline two\n")
    value = {"path": str(path), "name": "a.txt", "size": 18, "content_type": "text/plain"}
    [file] = restore([described(FileVar())], {"v": value}, Shelf()).values()
    with file:
        assert isinstance(file, InputFile)
        assert (file.name, file.size, file.content_type) == ("a.txt", 18, "text/plain")
        assert file.readline() == b"line one\n"
        assert list(file) == [b"line two\n"]
        assert list(file.chunks(10)) == [b"line one\nl", b"ine two\n"]


@pytest.mark.parametrize(
    ("variable", "complaint"),
    [
        (FileVar(default="x"), "a file has no default"),
        (FileVar(max_bytes=0), "max_bytes"),
        (FileVar(max_bytes=True), "max_bytes"),
        (FileVar(accept=["csv"]), "write endings like"),
        (FileVar(accept=[1]), "write endings like"),
        (SecretVar(default="hunter2"), "is a secret"),
        (SecretVar(min_length="x"), "min_length"),
        (StringVar(widget="texarea"), 'no widget "texarea"'),
    ],
)
def test_options_that_cannot_work_are_told_to_the_author(variable: Any, complaint: str):
    class Wrong(Job):
        x = variable

    Wrong.x.name = "x"
    with pytest.raises(BadJob, match=complaint):
        describe(Wrong, grouping="g")


def test_a_secret_keeps_its_blanks():
    assert cleaned(SecretVar(), " a b \r\nc") == " a b \nc"
    assert refusal(SecretVar(), "  ") == REQUIRED


class Textarea:
    """As Django has it."""


class OwnTextarea(Textarea):
    pass


class NumberInput:
    pass


@pytest.mark.parametrize(
    ("widget", "name"),
    [
        ("textarea", "textarea"),
        (Textarea, "textarea"),
        (OwnTextarea(), "textarea"),
        (NumberInput, ""),
        (None, ""),
    ],
)
def test_a_widget_may_be_a_name_or_one_of_djangos(widget: Any, name: str):
    assert widget_name(widget) == name


def test_a_widget_is_described_only_where_there_is_one():
    assert "widget" not in described(StringVar())
    assert described(MultiChoiceVar(choices=[("a", "A")], widget="checkboxes"))["widget"] == "checkboxes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "jobs"
    (home / "data").mkdir(parents=True)
    (home / "data" / "sites.yaml").write_text("sites: [basel, bern]\n")
    (home / "sites.json").write_text('{"a": [1]}')
    (home / "broken.yaml").write_text("a: [")
    (home / "object.yaml").write_text("!!python/object/apply:os.system ['true']")
    (tmp_path / "secret.json").write_text("{}")
    (home / "link.json").symlink_to(tmp_path / "secret.json")
    return home


def job_in(folder: Path) -> Job:
    class Reads(Job):
        file_path = str(folder / "reads.py")

    return Reads()


def test_yaml_and_json_beside_the_job_can_be_read(folder: Path):
    job = job_in(folder)
    assert job.load_yaml("data/sites.yaml") == {"sites": ["basel", "bern"]}
    assert job.load_json("sites.json") == {"a": [1]}
    assert job.load_json("data/../sites.json") == {"a": [1]}


@pytest.mark.parametrize("name", ["../secret.json", "link.json", "/etc/passwd", "data/../../secret.json"])
def test_what_lies_outside_of_the_folder_cannot(folder: Path, name: str):
    with pytest.raises(ValueError, match=f"^{name} is outside of the job's folder"):
        job_in(folder).load_json(name)
    with pytest.raises(ValueError, match="outside of the job's folder"):
        beside(str(folder / "reads.py"), name)


@pytest.mark.parametrize("name", ["broken.yaml", "object.yaml"])
def test_yaml_that_is_none_or_would_run_code_is_refused(folder: Path, name: str):
    with pytest.raises(ValueError, match=f"{name} is no YAML"):
        job_in(folder).load_yaml(name)


def test_a_file_that_is_not_there_is_said_as_python_says_it(folder: Path):
    with pytest.raises(FileNotFoundError):
        job_in(folder).load_yaml("nothing.yaml")


def test_a_name_that_leads_nowhere_is_no_crash(folder: Path):
    with pytest.raises(ValueError):
        job_in(folder).load_json("a\x00b")


def test_a_name_that_no_table_could_hold_is_told_to_the_author():
    class Wrong(Job):
        pass

    variable = FileVar()
    variable.__set_name__(Wrong, "x" * 101)
    setattr(Wrong, "x" * 101, variable)
    with pytest.raises(BadJob, match="longer than 100 characters"):
        describe(Wrong, grouping="g")
