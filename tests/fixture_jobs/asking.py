"""Jobs whose code is asked before they run."""

from examples.inventory.models import Site
from jobs import (
    ChoiceVar,
    IntegerVar,
    InvalidData,
    InvalidValue,
    Job,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
)


def sizes():
    print("Which sizes are there?")
    return [("s", "Small"), ("Large ones", [("l", "Large"), ("xl", "Huge")])]


def colours(job):
    yield job.__name__.lower(), "Its own"
    yield "red", "Red"


class Asks(Job):
    """Everything about its inputs is computed."""

    size = ChoiceVar(choices=sizes, default=lambda: "l")
    colours = MultiChoiceVar(choices=colours, required=False)
    tag = ChoiceVar(choices="tags", required=False)
    count = IntegerVar(default=lambda: 3)
    site = ObjectVar(model=Site, required=False, default=lambda: Site.objects.order_by("name").first())
    sites = MultiObjectVar(model=Site, required=False)

    def tags(self):
        return [("t-1", "First")]

    def validate(self, data):
        if data["count"] > 5:
            raise InvalidData({"count": ["Five is enough."]})
        if data["site"] and data["site"].name == "Zug" and len(data["sites"]) > 1:
            raise InvalidValue(f"{data['site']} and {data['sites'].count()} others are too many.")

    def run(self, data, commit):
        return [data["size"], data["count"], str(data["site"])]


class AskedTooMuch(Job):
    """What is asked of it does not work."""

    has_sensitive_variables = True

    size = ChoiceVar(choices=lambda: 1 / 0)
    count = IntegerVar(default=lambda: object(), required=False)


class RefusesItself(Job):
    """Its own check is broken."""

    secret = StringVar(required=False)

    @staticmethod
    def validate(data):
        raise RuntimeError(f"no {data['secret']}")


class RefusesSecretly(RefusesItself):
    has_sensitive_variables = True


class ValidatesByItself(Job):
    """Its `validate` is its own affair: it takes what nobody else could give."""

    def validate(self, one, two):
        raise RuntimeError("never asked")
