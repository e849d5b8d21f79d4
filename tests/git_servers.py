"""Real git repositories, served on this machine: over http with a login, and over ssh with a key."""

import asyncio
import base64
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

AUTHOR = {
    "GIT_AUTHOR_NAME": "alice",
    "GIT_AUTHOR_EMAIL": "alice@example.com",
    "GIT_COMMITTER_NAME": "alice",
    "GIT_COMMITTER_EMAIL": "alice@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Upstream:
    """A repository that its authors push to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main", str(folder), cwd=folder.parent)

    def git(self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> str:
        environment = {**os.environ, **AUTHOR}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.folder, env=environment, input=stdin, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str | bytes | None], message: str = "Change") -> str:
        """Write files, remove those that are None, and return the commit."""
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A", ".")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class HttpServer:
    """git http-backend behind basic auth. `seen` are the paths asked for, `login` what has to be given (None: nothing)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.login: tuple[str, str] | None = None
        self.seen: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.seen.append(self.path)
                if not outer.lets_in(self.headers.get("Authorization", "")):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                outer.answer(self)

            do_POST = do_GET

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def lets_in(self, header: str) -> bool:
        if self.login is None:
            return True
        return header == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        environment = {
            **os.environ,
            **AUTHOR,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def ssh_server(root: Path, public_key: str, host_key: "object") -> Iterator[int]:
    """Serve the repositories below `root` to whoever has the key; give the port."""
    import asyncssh

    started = threading.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()

    async def run_git(process: "asyncssh.SSHServerProcess") -> None:
        program, path = shlex.split(process.command or "")
        assert program == "git-upload-pack"
        child = await asyncio.create_subprocess_exec(
            "git",
            "upload-pack",
            str(root / path.lstrip("/")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())
        await process.wait_closed()

    async def serve(stop: asyncio.Event) -> None:
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(public_key),
            process_factory=run_git,
            encoding=None,
        )
        ports.append(server.get_port())
        started.set()
        await stop.wait()
        server.close()
        await server.wait_closed()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(stop),), daemon=True)
    thread.start()
    assert started.wait(30), "The ssh server did not start."
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
