"""The two documents of Nautobot that users of the field have, and their examples as job files.

They are not ours to copy: they are read from $ERRAND_SEEDS, or from the folder `shared/seeds` beside the project.
"""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest

from examples.inventory.demo import load_demo
from store.data import Data
from store.models import JobRecord
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, load_settings
from tests.cli.conftest import Portal as Shell
from tests.worker.conftest import Portal, children, web
from worker.children import Children
from worker.helper import stop as stop_helper
from worker.lookups import open_data

__all__ = ["children", "web"]

SEEDS = Path(os.environ.get("ERRAND_SEEDS") or PROJECT_ROOT.parent / "shared" / "seeds")

DOCUMENTS = {"1_1": "nautobot-jobs-1.1.txt", "1_5": "nautobot-jobs-1.5.md"}

#: A line that a block of Python in a text without fences may begin with.
BEGINS = re.compile(r"(from|import|class|def) \w|\w+ = ")

#: What a block needs that relies on an earlier one.
IMPORTS = "from nautobot.extras.jobs import *\n\n"


@dataclass(frozen=True)
class Block:
    """A piece of code as it is printed."""

    text: str

    @property
    def classes(self) -> list[str]:
        return [node.name for node in ast.parse(self.text).body if isinstance(node, ast.ClassDef)]

    @property
    def is_variables(self) -> bool:
        """Whether it is a piece of a class: variables, and what they need."""
        return "Var(" in self.text and not self.classes

    @property
    def imports_jobs(self) -> bool:
        return "from nautobot.extras.jobs import" in self.text


def seed(name: str) -> str:
    path = SEEDS / name
    if not path.is_file():
        pytest.skip(f"NO SEED DOCUMENTS, their examples are not tried: {path} is missing; set ERRAND_SEEDS")
    return path.read_text("utf-8")


def blocks_of(document: str) -> list[Block]:
    text = seed(DOCUMENTS[document])
    fenced = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(code) for code in fenced or _unfenced(text.splitlines())]


def _unfenced(lines: list[str]) -> Iterator[str]:
    """Yield the longest pieces that are Python, up to a line that is but a heading."""
    start = 0
    while start < len(lines):
        end = _end_of_code(lines, start) if BEGINS.match(lines[start]) else start
        if end > start:
            yield "\n".join(lines[start:end]) + "\n"
        start = max(end, start + 1)


def _end_of_code(lines: list[str], start: int) -> int:
    for end in range(min(len(lines), start + 120), start, -1):
        try:
            body = ast.parse("\n".join(lines[start:end])).body
        except SyntaxError:
            continue
        for node in body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name):
                return start + node.lineno - 1
        return end
    return start


def block_with(document: str, *words: str) -> Block:
    """Return the one block that has these words."""
    (found,) = [block for block in blocks_of(document) if all(word in block.text for word in words)]
    return found


#: {module: words that are in the block, and in no other}: the examples that are whole jobs, or nearly.
WHOLE = {
    "branch": ("class NewBranch",),
    "report": ("class DeviceConnectionsReport", "def test_console_connection"),
    "three": ("class DeviceIPsReport",),
    "commit": ("commit_default = False",),
}
WHOLE_IN_1_5 = {
    "described": ("class ExampleJob(Job)",),
    "soft": ("class ExampleJobWithSoftTimeLimit",),
    "hard": ("class ExampleJobWithHardTimeLimit",),
}

#: What stands for the functions that the examples of limits call and leave to the reader.
FUNCTIONS = """

def job_code():
    raise SoftTimeLimitExceeded("10 seconds are over")


def cleanup_in_a_hurry():
    print("cleaned up")
"""

#: Pieces of a class, or of a method, and what stands around them.
VARIABLES = """\
from nautobot.extras.jobs import *
from nautobot.dcim.models import Device, Site

IPAddress = Region = TenantGroup = Site


class Pieces(Job):
"""
METHOD = """\
from nautobot.extras.jobs import *


class Asks(Job):
    def run(self, data, commit):
"""


@pytest.fixture(scope="session", params=sorted(DOCUMENTS))
def document(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def seed_jobs(document: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples of one document, each in a file of its own."""
    folder = tmp_path_factory.mktemp(f"jobs_{document}")
    (folder / "__init__.py").touch()
    for module, words in {**WHOLE, **(WHOLE_IN_1_5 if document == "1_5" else {})}.items():
        block = block_with(document, *words)
        text = block.text if block.imports_jobs else IMPORTS + block.text
        (folder / f"{module}.py").write_text(text + (FUNCTIONS if "job_code()" in text else ""), "utf-8")
    variables = [block.text for block in blocks_of(document) if block.is_variables]
    (folder / "pieces.py").write_text(VARIABLES + indent("\n".join(variables), " " * 4), "utf-8")
    request = block_with(document, "username = self.request")
    (folder / "asks.py").write_text(METHOD + indent(request.text, " " * 8), "utf-8")
    for number, block in enumerate(block for block in blocks_of(document) if "Var(...)" in block.text):
        (folder / f"gaps_{number}.py").write_text(block.text, "utf-8")
    return folder


@pytest.fixture
def live(live: Settings, seed_jobs: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance whose job files are the examples, with the demo network."""
    monkeypatch.setenv("JOBS_ROOT", str(seed_jobs))
    settings = load_settings()
    data = Data(settings.data_database_url)
    load_demo(data)
    data.dispose()
    return settings


def local_jobs(platform: Platform) -> dict[str, JobRecord]:
    """Return the examples by class name: the demo has jobs that are called the same."""
    with platform.reading() as db:
        jobs = db.query(JobRecord).filter_by(source="local").all()
    # The classes without bodies are called as those that have one.
    return {job.class_name: job for job in sorted(jobs, key=lambda job: job.module != "three")}


@pytest.fixture
def portal(live: Settings, live_platform: Platform, children: Children) -> Iterator[Portal]:
    portal = Portal(live, live_platform, children)
    portal.jobs = local_jobs(live_platform)
    yield portal
    portal.close()


@pytest.fixture
def data(portal: Portal) -> Data:
    return open_data(portal.settings)


@pytest.fixture
def shell(live: Settings, live_platform: Platform) -> Iterator[Shell]:
    shell = Shell(live, live_platform)
    shell.jobs = {name: job.class_path for name, job in local_jobs(live_platform).items()}
    yield shell
    shell.close()


@pytest.fixture(scope="module", autouse=True)
def helpers_end() -> Iterator[None]:
    yield
    stop_helper()
