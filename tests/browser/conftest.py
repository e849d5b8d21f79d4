"""The whole product, started as a newcomer would, in a real browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store.models import SignInLink, User, UserSession, now
from store.platform import Platform
from store.secrets import new_token
from store.settings import PROJECT_ROOT, load_settings
from tests.waiting import until


@dataclass
class Product:
    """A running `./errand up`."""

    process: "subprocess.Popen[str]"
    instance: Path
    url: str
    output: Path

    def sign_in_link(self, user: str = "admin") -> str:
        """Make a fresh link: each works once."""
        token, token_hash = new_token("link")
        self._keep(user, SignInLink, token_hash)
        return f"{self.url}/login/{token}"

    def sign_in(self, context: Any) -> None:
        """Have a browser signed in as admin, without the two pages that a link leads through."""
        token, token_hash = new_token("session")
        self._keep("admin", UserSession, token_hash, last_seen_at=now())
        context.add_cookies([{"name": "session", "value": token, "url": self.url}])

    def _keep(self, user: str, kind: type[SignInLink | UserSession], token_hash: str, **values: Any) -> None:
        platform = Platform(load_settings(self.instance, {}).database_url)
        with platform.session() as db:
            found = db.query(User).filter_by(username=user).one()
            in_an_hour = now() + timedelta(hours=1)
            db.add(kind(user_id=found.id, token_hash=token_hash, expires_at=in_an_hour, **values))
            db.commit()
        platform.dispose()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product with spaces")
    output = folder / "output"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Beside the jobs that a newcomer finds, some whose inputs react or whose forms have templates.
    shutil.copytree(PROJECT_ROOT / "tests" / "fixture_jobs" / "forms", folder / "jobs" / "forms")
    for name in ("reacting.py", "forming.py"):
        shutil.copy(PROJECT_ROOT / "tests" / "fixture_jobs" / name, folder / "jobs")
    jobs = ["--jobs", str(folder / "jobs")]
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with output.open("w") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "webapp.cli",
                "up",
                "--port",
                str(port),
                "--instance",
                str(folder / "i"),
                *jobs,
            ],
            env={**environ, "PYTHONPATH": str(PROJECT_ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        until(lambda: "/login/" in output.read_text(), "the link is printed", seconds=180)
        yield Product(process, folder / "i", f"http://127.0.0.1:{port}", output)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()


OpenPage = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Any, product: Product) -> Iterator[OpenPage]:
    """Open a page as the signed-in admin; at the end no page may have had an error of its own."""
    contexts, problems = [], []

    def open_(width: int = 1440, *, javascript: bool = True, signed_in: bool = True) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=javascript, base_url=product.url
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if _is_problem(message) else None)
        if signed_in:
            product.sign_in(context)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def _is_problem(message: Any) -> bool:
    # Chromium itself notes every answer of 4xx; the tests provoke some on purpose. And htmx notes
    # every request that a newer one replaced.
    harmless = r"Failed to load resource.* 4\d\d|htmx:(sendAbort|afterRequest)"
    return message.type == "error" and not re.match(harmless, message.text)
