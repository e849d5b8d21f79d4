"""Known weaknesses of the packages in the lock file, as pip-audit knows them."""

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from benchmarks.figures import Figure, WentWrong
from benchmarks.soak.run import Ground
from store.settings import PROJECT_ROOT

#: It asks a database on the internet about each package.
PATIENCE_SECONDS = 300


def packages(ground: Ground) -> Iterable[Figure]:
    """Raises WentWrong where nobody could be asked: not to know is not the same as to know of none."""
    if find_spec("pip_audit") is None:
        raise WentWrong("NOTHING WAS CHECKED: pip-audit is not installed (python -m pip install pip-audit).")
    lock = PROJECT_ROOT / "requirements.lock"
    flags = (
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--format",
        "json",
        "--timeout",
        "15",
    )
    command = [sys.executable, "-m", "pip_audit", *flags, "-r", str(lock)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        raise WentWrong(f"NOTHING WAS CHECKED: no answer within {PATIENCE_SECONDS} seconds.") from None
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise WentWrong(
            f"NOTHING WAS CHECKED: the database of weaknesses cannot be reached: {last}"
        ) from None
    unknown = [str(each["skip_reason"]) for each in found if "skip_reason" in each]
    if unknown:
        raise WentWrong(
            f"NOT ALL WAS CHECKED: of {len(found)} packages {len(unknown)} could not be looked up. {unknown[0]}"
        )
    weak = [
        f"{each['name']} {each['version']}: {one['id']}" for each in found for one in each.get("vulns", ())
    ]
    for each in weak:
        ground.say(each)
    yield Figure("packages looked up", len(found), "packages", "> 0", len(found) > 0)
    yield Figure("known weaknesses", len(weak), "", "0", not weak)
