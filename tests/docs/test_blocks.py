"""Every block of code in the documentation works, or says why nobody runs it here."""

import ast
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections import Counter
from pathlib import Path

import jinja2
import pytest
import yaml
from werkzeug.routing import Map

from jobs.loading import Source
from store.setting_words import all_words
from store.settings import PROJECT_ROOT, VARIABLES, load_settings
from tests.docs.blocks import PAGES, Block, all_blocks
from tests.docs.shell_lines import calls, wrong_with_command, wrong_with_curl
from webapp.app import create_app
from webapp.cli import main

#: Names that an example may use without saying where they come from: those every job file imports.
PRELUDE = """\
import os, subprocess
from jobs import *
from jobs import job
from jobs.report import *
"""

#: What stands for what a program says, or for what people write elsewhere than in a file.
SHOWN = frozenset({"text"})
RUN = frozenset({"python", "json", "yaml", "toml", "html", "sh", "console", "env"})

_INLINE = re.compile(r"(?<!`)`(\./errand [^`]+)`(?!`)")


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return all_blocks()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Map:
    return create_app(load_settings(tmp_path_factory.mktemp("rules") / "i", {})).url_map


def test_each_block_is_run_or_says_why_not(blocks):
    assert {block.place for block in blocks if block.language not in RUN | SHOWN} == set()
    counts = Counter(block.language for block in blocks if not block.reason)
    reasons = [f"{block.place}: {block.reason}" for block in blocks if block.reason]
    print(f"{sum(counts.values())} blocks: {dict(counts)}; {len(reasons)} are not run:", *reasons, sep="\n  ")
    # More of them than this, and the rule is no rule.
    assert len(reasons) <= 30
    assert counts["python"] > 20


def test_python_and_tables_of_commands_load_as_job_files(blocks, tmp_path):
    places = {}
    for number, block in enumerate(_of(blocks, "python", "yaml")):
        name = f"example_{number}"
        places[name] = block.place
        text = block.text if block.language == "yaml" else PRELUDE + as_file(block.text)
        (tmp_path / f"{name}.{'yaml' if block.language == 'yaml' else 'py'}").write_text(text)
    lines = discovered(tmp_path)
    ended = {line["end"][1]: line for line in lines if "end" in line}
    problems = [
        f"{place}: {error['message']}"
        for name, place in places.items()
        for error in ended.get(name, {}).get("errors", [])
    ]
    assert not problems, "\n".join(problems)
    assert len(ended) > 20


def test_data_can_be_read(blocks):
    read = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads, "html": template}
    problems = []
    for block in _of(blocks, *read):
        try:
            read[block.language](block.text)
        except Exception as error:
            problems.append(f"{block.place}: {error}")
    assert not problems, "\n".join(problems)


def test_lines_for_a_shell_call_what_there_is(blocks, rules):
    problems, looked_at = [], 0
    for block in _of(blocks, "sh", "console"):
        for words in calls(block.text):
            looked_at += 1
            problems += [f"{block.place}: {wrong}" for wrong in [_wrong(words, rules)] if wrong]
    assert not problems, "\n".join(problems)
    assert looked_at > 40


def test_commands_within_sentences_are_there():
    problems, looked_at = [], 0
    for page in PAGES:
        for said in _INLINE.findall(page.read_text("utf-8")):
            looked_at += 1
            wrong = wrong_with_command(main, said.replace("|", " | ").split("|")[0].split()[1:])
            place = page.relative_to(PROJECT_ROOT)
            problems += [f"{place}: {said}: {wrong}"] if wrong else []
    assert not problems, "\n".join(problems)
    assert looked_at > 60


def test_settings_in_examples_are_there(blocks):
    known = {*VARIABLES, *(words.name for words in all_words())}
    names = [
        (block.place, line.partition("=")[0])
        for block in _of(blocks, "env")
        for line in block.text.splitlines()
        if line and not line.startswith("#")
    ]
    assert [named for named in names if named[1] not in known] == []
    assert names


def as_file(text: str) -> str:
    """Return an example as a job file: statements without a class, a function or an import stand in a `run`, which is not called."""
    tree = ast.parse(text)
    if any(
        isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Import | ast.ImportFrom) for node in tree.body
    ):
        return text
    return f"class Example(Job):\n    def run(self):\n{textwrap.indent(text, ' ' * 8)}"


def discovered(folder: Path) -> list[dict]:
    """Have all files of a folder described, in a process of its own, as the portal does it."""
    source = Source("local", (str(folder),)).as_data()
    asked = {"sources": [source], "plugins": ["examples.inventory"], "only": None}
    (folder / "said").touch()
    with (folder / "said").open("wb") as said:
        done = subprocess.run(
            [sys.executable, "-m", "jobs.discovery", str(said.fileno())],
            input=json.dumps(asked).encode(),
            cwd=PROJECT_ROOT,
            capture_output=True,
            pass_fds=[said.fileno()],
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in (folder / "said").read_text().splitlines()]


def template(text: str) -> None:
    # `static` and `load` are Nautobot's: they are no words of this language, and hold no blocks.
    jinja2.Environment().parse(re.sub(r"{% (static|load) [^%]*%}", "", text))


def _wrong(words: list[str], rules: Map) -> str:
    if words[0] in ("./errand", "errand"):
        return wrong_with_command(main, words[1:])
    return wrong_with_curl(rules, words) if words[0] == "curl" else ""


def _of(blocks: list[Block], *languages: str) -> list[Block]:
    return [block for block in blocks if block.language in languages and not block.reason]
