"""Jobs that ask for runs of other jobs."""

import os
import time
from pathlib import Path

import botscheduler

from jobs import BooleanVar, IntegerVar, Job, JobFailed, SecretVar, StringVar, job
from jobs.report import Text

name = "Fanning"


class Squared(Job):
    """Says how its number ended."""

    number = IntegerVar()
    mood = StringVar(default="good")

    class Meta:
        idempotent = True
        task_queues = ("default", "bulk")

    def run(self, number, mood):
        self.log_info(f"Number {number}")
        if mood == "bad":
            raise JobFailed(f"{number} is in a bad mood.")
        if mood == "broken":
            raise ValueError(number)
        return number * number


class Squares(Job):
    """Has numbers squared, and adds them up."""

    count = IntegerVar(default=3)
    bad = IntegerVar(default=0, description="So many of them fail")
    at_once = IntegerVar(default=0)
    stop_after = IntegerVar(default=0)
    gathers = BooleanVar(default=True)

    def run(self, data, commit):
        self.log_info("It asks.")
        self.report.append(Text("Asked"))
        self.job_result.data["asked"] = data["count"]
        moods = ["bad"] * data["bad"] + ["good"] * (data["count"] - data["bad"])
        self.map(
            Squared,
            ({"number": number, "mood": mood} for number, mood in enumerate(moods, 1)),
            at_once=data["at_once"],
            stop_after=data["stop_after"],
        )
        if data["gathers"]:
            return self.gather(self.add_up)
        return "asked"

    def add_up(self, outcomes):
        self.log_info(f"{len(outcomes)} have ended.")
        self.report.append(Text("Added"))
        assert [each.number for each in outcomes] == list(range(1, len(outcomes) + 1)), "again and again"
        self.job_result.data["failed"] = [each.data["number"] for each in outcomes if not each.ok]
        return sum(each.return_value or 0 for each in outcomes)


class AsksAndFails(Job):
    def run(self, data, commit):
        self.map(Squared, [{"number": 1}, {"number": 2}])
        raise JobFailed("Not today.")


class AsksForOddThings(Job):
    """Each of what it asks for is refused by itself."""

    def run(self, data, commit):
        self.map("local/fanning/Squared", [{"number": 1}, {"number": "one"}, {"number": 2, "colour": "red"}])
        self.map("local/fanning/Nothing", [{}])
        self.map(Squared, [{"number": 3}], queue="bulk")
        self.map(Squared, [{"number": 3}], queue="nowhere")
        for bad in ("Squared", 7, NotAJob):
            try:
                self.map(bad, [{}])
            except (TypeError, ValueError) as error:
                self.log_warning(str(error))
        try:
            self.map(Squared, [{"number": object()}])
        except ValueError as error:
            self.log_warning(str(error))
        try:
            self.gather("nowhere")
        except ValueError as error:
            self.log_warning(str(error))
        self.gather("tell")

    def tell(self, outcomes):
        for each in outcomes:
            self.log_info(f"{each.number} {each.status}: {each.cause}")
        try:
            self.map(Squared, [{"number": 1}])
        except ValueError as error:
            self.log_warning(str(error))
        if any(not each.ok for each in outcomes):
            raise JobFailed("Some were refused.")


class NotAJob:
    pass


class WaitsForAFile(Job):
    """Runs until the file is there, and notes the process of each of its beginnings."""

    path = StringVar()
    number = IntegerVar()

    class Meta:
        idempotent = True

    def run(self, path, number):
        with open(f"{path}.begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not Path(path).exists():
            time.sleep(0.01)
        with open(f"{path}.done", "a") as file:
            file.write(f"{number}\n")
        return number


class WaitsForMany(Job):
    """Asks for them in two calls, and so in two parts."""

    path = StringVar()

    def run(self, path):
        for numbers in ((1, 2), (3, 4)):
            self.map(WaitsForAFile, [{"path": path, "number": number} for number in numbers])
        self.gather("count_them")

    def count_them(self, outcomes):
        return [each.return_value for each in outcomes]


class TriesAgain(Job):
    """Its second part breaks the first time."""

    class Meta:
        max_retries = 1

    def run(self, data, commit):
        self.map(Squared, [{"number": 3}])
        self.gather("stumble")
        return "first"

    def stumble(self, outcomes):
        self.store["tries"] = self.store.get("tries", 0) + 1
        if self.store["tries"] == 1:
            raise ValueError("stumbled")
        return [each.return_value for each in outcomes]


class PassesASecretOn(Job):
    password = SecretVar()

    def run(self, password):
        self.map("local/handing/KnowsASecret", [{"password": password, "pin": "", "host": f"as {password}"}])
        self.gather("length")

    def length(self, outcomes):
        return [(each.ok, each.data, each.return_value and each.return_value["length"]) for each in outcomes]


class FansOf2(Job):
    """In the manner of Nautobot 2."""

    dialect = "2"

    def run(self):
        self.map(Squared, [{"number": 2}])
        self.gather("tell")

    def tell(self, outcomes):
        return [each.return_value for each in outcomes]


class FansOfBots(botscheduler.JobBase):
    info = {"job_class_name": "Fans of bots", "arguments": []}

    def run(self):
        self.map(Squared, [{"number": 3}])
        self.gather("tell")

    def tell(self, outcomes):
        return [each.return_value for each in outcomes]


class Levels(Job):
    """Asks for itself."""

    def run(self, data, commit):
        self.map(Levels, [{}])


@job
def fans(job, count: int = 2):
    """A function that asks for runs."""
    job.map(Squared, [{"number": number} for number in range(count)])
    job.gather(in_all)


def in_all(job, outcomes):
    job.log_info("in all")
    return len(outcomes)
