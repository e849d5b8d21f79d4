"""A job with one input of each kind that a terminal asks for in its own way."""

import time
from pathlib import Path

from examples.inventory.models import Site
from jobs import (
    BooleanVar,
    ChoiceVar,
    IntegerVar,
    InvalidData,
    Job,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
    TextVar,
)
from jobs.errors import RunEnded


class Prompted(Job):
    """Returns what it was given."""

    name = StringVar(description="What it is \x1b[31mcalled.", max_length=10)
    count = IntegerVar(default=3, max_value=9)
    flag = BooleanVar(default=True)
    size = ChoiceVar(choices=[("s", "Small"), ("1", "Huge"), ("l", "Large")], default="s")
    colours = MultiChoiceVar(choices=[("r", "Red"), ("g", "Green"), ("b", "Blue")], required=False)
    note = TextVar(required=False)
    site = ObjectVar(model=Site, required=False)
    sites = MultiObjectVar(model=Site, required=False)

    class Meta:
        commit_default = False

    def validate(self, data):
        if data["name"] == "nobody":
            raise InvalidData({"name": ["Nobody is not a name."]})

    def run(self, data, commit):
        objects = {"site": str(data["site"]), "sites": [str(site) for site in data["sites"]]}
        return {**data, **objects, "commit": commit}


class Shouts(Job):
    """Logs what a terminal would obey."""

    def run(self, data, commit):
        self.log_warning("\x1b]0;title\x07first\n\x1b[2Jsecond")
        self.log_info("good\x9b1m")
        return "\x1b[31mred"


class Stubborn(Job):
    """Goes on until the file `go` is in the folder, whoever wants it to end meanwhile."""

    folder = StringVar()

    def run(self, folder):
        Path(folder, "began").touch()
        while not Path(folder, "go").exists():
            try:
                time.sleep(0.01)
            except RunEnded:
                pass
