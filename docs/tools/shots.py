"""Take the pictures of docs/images anew, from the running product, in light and dark.

Run it from the checkout: `.venv/bin/python docs/tools/shots.py`. It starts a portal of its own in a folder that is thrown away,
runs a job of the demo, and needs a Chromium on PATH.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
PORT = 8765
SIZE = {"width": 1280, "height": 800}
LARGEST_BYTES = 200_000
WAIT_SECONDS = 180

#: A job with a form worth a picture, and one whose result is.
FORM = "local/hello/Hello"
RESULT = "plugins/examples.inventory.jobs.summary/SiteSummary"


@contextmanager
def portal(port: int) -> Iterator[str]:
    """Have a portal with the demo; yield the link that signs in."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        command = [sys.executable, "-m", "webapp.cli", "up", "--port", str(port), "--instance", f"{folder}/i"]
        with output.open("w") as out:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _link(output)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WAIT_SECONDS)


def _link(output: Path) -> str:
    for _ in range(WAIT_SECONDS):
        if found := re.search(r"http://\S+/login/\S+", output.read_text()):
            return found[0]
        time.sleep(1)
    raise SystemExit(f"The portal did not begin:\n{output.read_text()}")


def take(page: Page, name: str, scheme: str) -> None:
    path = IMAGES / f"{name}-{scheme}.png"
    page.screenshot(path=path, animations="disabled")
    if path.stat().st_size > LARGEST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, which is too many.")
    print(path.relative_to(ROOT), f"{path.stat().st_size:,} bytes")


def result_of(page: Page, base: str, job: str) -> str:
    """Run a job as its form has it; return the address of its result when it has ended."""
    page.goto(f"{base}/jobs/{job}/")
    page.locator("form[method=post] button[type=submit]").last.click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}"))
    page.get_by_text("Completed").first.wait_for(timeout=WAIT_SECONDS * 1000)
    return page.url


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with portal(PORT) as link, sync_playwright() as playwright:
        base = link.partition("/login/")[0]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium-headless-shell") or shutil.which("chromium"),
            args=["--no-sandbox"],
        )
        first = browser.new_page()
        first.goto(link)
        state = first.context.storage_state()
        pages = {
            "form": f"{base}/jobs/{FORM}/",
            "jobs": f"{base}/jobs/",
            "result": result_of(first, base, RESULT),
        }
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport=SIZE, color_scheme=scheme, storage_state=state)
            page = context.new_page()
            for name, address in pages.items():
                page.goto(address, wait_until="networkidle")
                take(page, name, scheme)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
