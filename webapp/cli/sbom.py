"""`./errand sbom`: what Errand is made of, for those who look for known weaknesses in what they run."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click


@click.command()
def sbom() -> None:
    """Print what Errand is made of, as CycloneDX 1.6.

    One component for each package of requirements.lock and each vendored file, with the hashes of its files. No clock and
    no chance has a part in it: the same code prints the same.
    """
    from store.settings import PROJECT_ROOT
    from worker.presence import version

    lock = PROJECT_ROOT / "requirements.lock"
    if not lock.exists():
        raise click.ClickException(f"There is no {lock}: this is asked of a checkout.")
    click.echo(json.dumps(bill(PROJECT_ROOT, version()), indent=2))


def bill(root: Path, version: str) -> dict[str, Any]:
    """Return the document."""
    vendored = json.loads((root / "static" / "vendor" / "published.json").read_text())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "errand", "version": version}},
        "components": [
            *_packages((root / "requirements.lock").read_text()),
            *(_vendored(name, about) for name, about in vendored.items()),
        ],
    }


def _packages(lock: str) -> Iterator[dict[str, Any]]:
    for line in lock.replace("\\\n", " ").splitlines():
        found = re.match(r"([\w.-]+)(?:\[[^\]]*\])?==([\w.!+]+)", line)
        if found is None:
            continue
        name, version = re.sub(r"[-_.]+", "-", found[1]).lower(), found[2]
        yield _component(
            "pypi",
            name,
            version,
            [("SHA-256", each) for each in re.findall(r"--hash=sha256:([0-9a-f]{64})", line)],
        )


def _vendored(name: str, about: dict[str, str]) -> dict[str, Any]:
    digest = base64.b64decode(about["integrity"].removeprefix("sha512-")).hex()
    component = _component("npm", about["package"], about["version"], [("SHA-512", digest)])
    return {
        **component,
        "licenses": [{"license": {"id": about["license"]}}],
        "properties": [{"name": "errand:file", "value": f"static/vendor/{name}"}],
    }


def _component(kind: str, name: str, version: str, hashes: list[tuple[str, str]]) -> dict[str, Any]:
    address = f"pkg:{kind}/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
        "hashes": [{"alg": algorithm, "content": content} for algorithm, content in hashes],
    }
