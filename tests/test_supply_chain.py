"""What comes from others: only what was looked at, byte for byte, under licences that we may pass on."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from webapp.cli.sbom import bill

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"

#: As the metadata of packages spells them. All of them may be used, and passed on, by anybody as they are.
LICENCES = {
    "Apache Software License",
    "Apache-2.0",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CNRI-Python",
    "LGPL-3.0-only",
    "MIT",
    "MIT License",
    "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)",
    "PSF-2.0",
}


def locked(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each package of a lock file: ("flask==3.1.3", [hash, ...])."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.split()[0], re.findall(r"--hash=(\S+)", line)


def test_each_package_is_one_version_whose_files_are_known():
    for name in ("requirements.lock", "requirements-dev.lock"):
        found = list(locked(name))
        assert len(found) > 20
        for package, hashes in found:
            assert re.fullmatch(r"[\w.\[\]-]+==[\w.!+]+", package), f"{name}: {package} is no one version"
            assert hashes, f"{name}: {package} may be any file"
            assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), package


def test_the_launcher_installs_nothing_else():
    said = (ROOT / "errand").read_text()
    installs = [part for part in said.replace("\\\n", " ").splitlines() if "pip install" in part]
    assert installs
    assert all("--require-hashes" in part for part in installs), installs


def test_each_package_has_a_licence_that_is_allowed():
    """Of those that are installed here; some of a lock are for other systems only."""
    seen = 0
    for package, _ in locked("requirements.lock"):
        name = package.partition("==")[0].partition("[")[0]
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        seen += 1
        wrong = [part for part in licences(about) if part not in LICENCES]
        assert licences(about), f"{name} names no licence"
        assert not wrong, f"{name} is under {wrong}: look at it, and allow it or use another package"
    assert seen > 40


def test_the_notices_name_each_package_and_each_vendored_file():
    named = set(re.findall(r"^\| ([\w.-]+) \|", (ROOT / "THIRD-PARTY-NOTICES.md").read_text(), re.MULTILINE))
    wanted = {package.partition("==")[0].partition("[")[0] for package, _ in locked("requirements.lock")}
    wanted |= json.loads((VENDOR / "published.json").read_text()).keys()
    assert named - {"package", "file"} == wanted


def licences(about: metadata.PackageMetadata) -> list[str]:
    if expression := about.get("License-Expression"):
        return re.split(r" (?:AND|OR) ", expression.strip("()"))
    kinds = [each for each in about.get_all("Classifier") or [] if each.startswith("License ::")]
    named = [each.rpartition("::")[2].strip() for each in kinds if each != "License :: OSI Approved"]
    return named or [each for each in [about.get("License")] if each]


def test_what_is_vendored_is_what_was_published():
    """The hashes are of the file in the published package, whose own hash its registry shows (`package_integrity`)."""
    published = json.loads((VENDOR / "published.json").read_text())
    found = {each.name for each in VENDOR.iterdir()} - {"published.json"}
    assert found == published.keys()
    for name, about in published.items():
        digest = base64.b64encode(hashlib.sha512((VENDOR / name).read_bytes()).digest()).decode()
        assert about["integrity"] == f"sha512-{digest}", f"{name} is not what was published"
        assert about["version"] in name


def test_the_bill_of_materials_has_all_that_is_locked_or_vendored():
    made = bill(ROOT, "1.0")
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    components = {each["purl"]: each for each in made["components"]}
    assert len(components) == len(made["components"])
    for package, hashes in locked("requirements.lock"):
        name, _, version = package.partition("==")
        plain = re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
        component = components.pop(f"pkg:pypi/{plain}@{version}")
        assert [f"sha256:{each['content']}" for each in component["hashes"]] == hashes
    vendored = {each["properties"][0]["value"]: each["hashes"] for each in components.values()}
    for name in json.loads((VENDOR / "published.json").read_text()):
        digest = hashlib.sha512((VENDOR / name).read_bytes()).hexdigest()
        assert vendored.pop(f"static/vendor/{name}") == [{"alg": "SHA-512", "content": digest}]
    assert vendored == {}


def test_pages_load_nothing_from_elsewhere():
    places = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("static/*.css"), *ROOT.glob("static/*.js")]
    assert len(places) > 50
    loads = re.compile(
        r"""(?:\bsrc=["']|<link[^>]+href=["']|url\(["']?|@import\s+["']?|\bimport\()(?:https?:)?//"""
    )
    assert [str(place) for place in places if loads.search(place.read_text())] == []
