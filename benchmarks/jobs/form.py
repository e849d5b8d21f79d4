from jobs import BooleanVar, ChoiceVar, IntegerVar, Job, MultiChoiceVar, StringVar, TextVar

REGIONS = [(f"r{number}", f"Region {number}") for number in range(1, 9)]


class TwelveInputs(Job):
    """Ask for twelve things.

    For measuring how long the form takes: run it, and it does **nothing**.
    """

    host = StringVar(description="Which host", max_length=60)
    address = StringVar(description="Its address", regex=r"[0-9.]+", required=False)
    note = TextVar(description="What to write beside it", required=False)
    count = IntegerVar(description="How many", default=3, min_value=1, max_value=100)
    port = IntegerVar(description="Which port", default=8080)
    seconds = IntegerVar(description="How long to wait", default=30)
    verbose = BooleanVar(description="Say more")
    force = BooleanVar(description="Do it whatever stands there")
    notify = BooleanVar(description="Tell the owner", default=True)
    region = ChoiceVar(description="Where", choices=REGIONS)
    tier = ChoiceVar(description="How important", choices=[("a", "Gold"), ("b", "Silver"), ("c", "Bronze")])
    more = MultiChoiceVar(description="Where else", choices=REGIONS, required=False)

    def run(self, **data):
        pass


class FortyInputs(Job):
    """Ask for forty things.

    For measuring how long a long form takes: run it, and it does **nothing**.
    """

    for _number in range(1, 11):
        locals()[f"host_{_number}"] = StringVar(description="Which host", max_length=60)
        locals()[f"count_{_number}"] = IntegerVar(description="How many", default=_number)
        locals()[f"force_{_number}"] = BooleanVar(description="Do it whatever stands there")
        locals()[f"region_{_number}"] = ChoiceVar(description="Where", choices=REGIONS)

    def run(self, **data):
        pass
