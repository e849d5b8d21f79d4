"""A robot of one's own: a context manager around a session of requests, for one small service."""

import requests

TIMEOUT_SECONDS = 10


class RobotError(Exception):
    """What the service did not do, as a sentence."""


class StatusBot:
    """Asks a service at `url` for the state of hosts: GET /hosts/<name> answers {"state": ..., "since": ...}."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def __enter__(self):
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "errand-example"
        return self

    def __exit__(self, *_):
        self.session.close()

    def state(self, host):
        answer = self.session.get(f"{self.url}/hosts/{host}", timeout=TIMEOUT_SECONDS)
        if answer.status_code == 404:
            return None
        if not answer.ok:
            raise RobotError(f"{self.url} answered {answer.status_code} for {host}.")
        return answer.json()
