"""Jobs that are handed files and secrets, make files, and say how far they are."""

import base64
import csv
import io
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

from jobs import ChoiceVar, DataFileVar, FileVar, InvalidValue, Job, SecretVar, StringVar


class ReadsAFile(Job):
    """Returns what it was given."""

    table = FileVar(max_bytes=1024 * 1024, accept=[".csv", "text/csv"], required=False)
    note = StringVar(required=False)

    def run(self, table, note):
        if table is None:
            return None
        first = table.read(4)
        table.seek(0)
        rows = list(csv.reader(io.TextIOWrapper(table, "utf-8")))
        return {"name": table.name, "size": table.size, "first": first.decode(), "rows": rows}


class ReadsADataFile(Job):
    """Returns what it was given."""

    hosts = DataFileVar()
    more = DataFileVar(required=False)

    def run(self, hosts, more):
        assert Path(hosts) == Path(hosts.path)
        return {"name": Path(hosts.path).name, "entries": hosts.entries(), "more": more and more.read_text()}


class TakesAFileApart(Job):
    """Leaves its file in a state in which nobody can close it."""

    table = FileVar()

    def run(self, table):
        with table.detach() as raw:
            return raw.read().decode()


class ReadsAFileTwice(Job):
    """Breaks in its first attempt, after it has read its file."""

    table = FileVar()
    #: Is there once it has broken.
    mark = StringVar()

    class Meta:
        idempotent = True
        max_retries = 1

    def run(self, table, mark):
        content = b"".join(table.chunks(3))
        if not os.path.exists(mark):
            Path(mark).touch()
            raise RuntimeError("not yet")
        return content.decode()


class ChecksItsFile(Job):
    """Judges its file before it runs."""

    table = FileVar()

    def validate(self, data):
        if not data["table"].read().startswith(b"name,"):
            raise InvalidValue(f"{data['table'].name} has no column called name.")

    def run(self, table):
        return table.read().decode()


class KnowsASecret(Job):
    """Says what it should not."""

    password = SecretVar(min_length=4)
    pin = SecretVar(required=False)
    host = StringVar(default="core-1")

    def run(self, password, pin, host):
        self.log_info(f"{host}: signing in with {password}")
        return {"length": len(password), "pin": pin}


class NamesItsSecret(Job):
    """Calls what it makes, and says how far it is, by its secret."""

    password = SecretVar()

    def run(self, password):
        self.progress(1, 2, f"as {password}")
        self.create_file(f"{password}.txt", "x")


class SpillsItsSecret(Job):
    """Says its secret by every way there is, in pieces and in disguise, and breaks with it."""

    password = SecretVar()
    at = StringVar(default="1")

    def run(self, password, at):
        first, second = password[: int(at)], password[int(at) :]
        for piece in (first, second, "\n"):
            sys.stdout.write(piece)
            sys.stdout.flush()
        for piece in (first, second, "\n"):
            os.write(2, piece.encode())
        subprocess.run(["sh", "-c", 'printf %s "$1"; printf "%s\\n" "$2"', "-", first, second], check=True)
        subprocess.run(["printf", "%s\x1b[1m%s\x1b[0m\n", first, second], check=True)
        print(json.dumps({"user": "alice", "password": password}))
        print("Authorization: Basic", base64.b64encode(f"alice:{password}".encode()).decode())
        logging.getLogger("some.library").warning("with %s", password)
        warnings.warn(password, stacklevel=1)
        self.log_info(f"| a | b |\n|---|---|\n| {password} | x |")
        self.logger.info("As somebody", extra={"grouping": f"as {password}"})
        self.progress(1, 2, password)
        self.job_result.data = {"nested": [{password: password}]}
        self.create_file(f"{password}.txt", "x")
        if at == "1":
            return {"said": password}
        raise ValueError(f"not {password}")


class PicksAHost(Job):
    """All it is given is nobody's business; whom it takes changes."""

    host = ChoiceVar(choices=lambda: [(name, name) for name in os.environ.get("TEST_HOSTS", "a b").split()])
    note = StringVar(required=False)

    class Meta:
        has_sensitive_variables = True

    def validate(self, data):
        if os.path.exists(data["note"]):
            raise InvalidValue("not that")

    def run(self, host, note):
        self.log_info(f"Going to {host}: {note}")
        return len(host)


class PicksFromAFile(Job):
    """All it is given is nobody's business; whom it takes stands in a file."""

    folder = StringVar()
    host = ChoiceVar(
        choices=lambda values: [(name, name) for name in Path(values["folder"], "hosts").read_text().split()],
        depends_on=["folder"],
    )

    class Meta:
        has_sensitive_variables = True

    def run(self, folder, host):
        return len(host)


class MakesFiles(Job):
    """Keeps a text, bytes, and a table."""

    def run(self):
        url = self.create_file("report.txt", "Grüße\n")
        self.create_file("../../etc/data.bin", bytes(range(256)))
        self.create_file("table.csv", "a,b\n1,2\n")
        return url


class MakesTooMuch(Job):
    """Wants to keep more than it may."""

    def run(self):
        try:
            self.create_file("large.bin", b"x" * (10 * 1024**2 + 1))
        except ValueError as error:
            self.log_warning(str(error))
        for name, content in (("", "x"), ("a.txt", 1)):
            try:
                self.create_file(name, content)
            except (TypeError, ValueError) as error:
                self.log_warning(f"{type(error).__name__}: {error}")
        self.create_file("small.bin", b"x" * (10 * 1024**2))


class SaysHowFar(Job):
    """Counts to ten, and waits at the number it is given until the file there is gone."""

    wait_at = StringVar(required=False)

    def run(self, wait_at):
        for number in range(1, 11):
            self.progress(number, 10, f"{number} of 10 devices")
            while wait_at and number == 6 and os.path.exists(wait_at):
                time.sleep(0.01)


class TellsWhoAsked(Job):
    """Tells who asked, from where, and what lies beside its file."""

    def run(self):
        asked = self.request and {
            "user": self.request.user.username,
            "agent": self.request.META.get("HTTP_USER_AGENT"),
            "forwarded": self.request.META.get("HTTP_X_FORWARDED_FOR"),
            "from": self.request.META.get("REMOTE_ADDR"),
            "method": self.request.META.get("REQUEST_METHOD"),
            "cookie": self.request.META.get("HTTP_COOKIE"),
            "id": self.request.id == self.job_result.id,
        }
        return {"asked": asked, "user": str(self.user)}
