import os

from jobs import IntegerVar, Job, StringVar


class Marks(Job):
    """Notes its number outside of all that Errand keeps."""

    file = StringVar()
    number = IntegerVar()

    def run(self, file, number):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, b"%d\n" % number)
        os.close(descriptor)
        return number


class FansOut(Job):
    """Has so many of them run, and adds up what they return."""

    file = StringVar()
    count = IntegerVar()

    def run(self, file, count):
        self.map(Marks, ({"file": file, "number": number} for number in range(1, count + 1)))
        self.gather(self.add_up)

    def add_up(self, outcomes):
        total, told, bad = 0, 0, 0
        for each in outcomes:
            told += 1
            bad += not each.ok
            total += each.return_value or 0
        return {"told": told, "bad": bad, "total": total}
