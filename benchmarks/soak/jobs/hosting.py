import os
import socket
import time

from jobs import IntegerVar, Job, StringVar

SECONDS = 0.3


class TakesTime(Job):
    """Notes its number outside of all that Errand keeps, and says where it ran."""

    file = StringVar()
    number = IntegerVar()

    def run(self, file, number):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, b"%d\n" % number)
        os.close(descriptor)
        time.sleep(SECONDS)
        return socket.gethostname()


class Spreads(Job):
    """Has so many of them run, and tells how many each host has done."""

    file = StringVar()
    count = IntegerVar()

    def run(self, file, count):
        self.map(TakesTime, ({"file": file, "number": number} for number in range(1, count + 1)))
        self.gather(self.by_host)

    def by_host(self, outcomes):
        done = {}
        for each in outcomes:
            host = each.return_value if each.ok else "nobody"
            done[host] = done.get(host, 0) + 1
        return done
