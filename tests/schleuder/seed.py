"""The document of jobschleuder: its registry, its config and its plugin, which lost their indentation in print."""

import re

import pytest

from tests.seeds.conftest import seed

#: How deep lines stand that begin so.
DEPTHS = {
    "registry": {
        "  ": ("job:", "schedule:", "preprocessing:", "arguments:"),
        "    ": ("hello:", "where:", "sot:", "exclude:", "#"),
        "      ": ("devices:", "pattern:", "# devices", "# pattern"),
    },
    "config": {"  ": ("",), "    ": ("plugin_dir:", "plugin:")},
}


def document() -> str:
    return seed("jobschleuder.txt")


def registry() -> str:
    found = re.search(r"^---\njobs:\n.+?(?=^To import jobs)", document(), re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = found[0].splitlines()
    return "\n".join([*lines[:2], *(_indented(line, "registry") for line in lines[2:])]) + "\n"


def config() -> str:
    found = re.search(r"^plugins:\n.+\Z", document(), re.MULTILINE | re.DOTALL)
    assert found is not None
    first, *rest = found[0].strip().splitlines()
    return "\n".join([first, *(_indented(line, "config") for line in rest)]) + "\n"


def plugin() -> str:
    """Return the plugin with bodies in place of dots; the values that its start returns are texts."""
    found = re.search(r"^from veritas\.plugin import.+?^return \{.+?$", document(), re.MULTILINE | re.DOTALL)
    assert found is not None
    body = re.sub(r"^\.\.\. your code here \.\.\.$", "    return kwargs", found[0], flags=re.MULTILINE)
    body = re.sub(r"^\.\.\..+$\n", "", body, flags=re.MULTILINE)
    mended = re.sub(r"^return \{", "    return {", body, flags=re.MULTILINE)
    assert mended.count("\n    return ") == 2
    return "profile, local_config_file, sot = 'lab', 'conf/backup.yaml', 'the truth'\n" + mended + "\n"


def _indented(line: str, what: str) -> str:
    if line.startswith("- "):
        return line
    deepest = [depth for depth, begins in DEPTHS[what].items() if line.startswith(begins)]
    return (deepest[-1] if deepest else "") + line


def table(title: str) -> list[str]:
    """Return the headings of a table as it is printed."""
    found = re.search(rf"^{title}\n┏[^\n]+\n(┃[^\n]+┃)$", document(), re.MULTILINE)
    if found is None:
        pytest.fail(f"The document has no table {title}.")
    return [heading.strip() for heading in found[1].strip("┃").split("┃")]
