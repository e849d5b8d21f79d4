"""Jobs whose inputs react to each other."""

from examples.inventory.models import Device, Site
from jobs import (
    BooleanVar,
    ChoiceVar,
    IntegerVar,
    InvalidData,
    Job,
    MultiChoiceVar,
    ObjectVar,
    SecretVar,
    StringVar,
    TextVar,
)

RACKS = {"bern": ["b-1", "b-2"], "zug": [f"z-{number}" for number in range(1, 31)]}
UNITS = {"b-1": 12, "b-2": 30}


class Moves(Job):
    """Move a device, or only look at where it could go."""

    def racks(self, values):
        return [(rack, rack.upper()) for rack in RACKS[values["site"]]]

    def first_free(self, values):
        return UNITS.get(values["rack"])

    def about_units(self, values):
        return f"In **{values['rack']}**, counted from below."

    mode = ChoiceVar(choices=[("check", "Check"), ("move", "Move"), ("replace", "Replace")], default="check")
    new_name = StringVar(shown_if={"mode": "replace"}, min_length=3)
    site = ChoiceVar(choices=[("bern", "Bern"), ("zug", "Zug"), ("chur", "Chur")], required=False)
    rack = ChoiceVar(
        choices=racks, depends_on=("site",), shown_if={"mode": ["move", "replace"], "site": True}
    )
    unit = IntegerVar(
        default=first_free,
        description=about_units,
        depends_on="rack",
        shown_if={"rack": True},
        min_value=1,
    )
    extras = MultiChoiceVar(
        choices="extras_of", depends_on=["mode", "site"], required=False, shown_if={"mode": "move"}
    )
    urgent = BooleanVar(default=True, shown_if={"mode": "move"})
    reason = TextVar(shown_if={"urgent": True}, default="It is urgent")
    note = StringVar(required=False, description="For whoever reads the log.")

    class Meta:
        fieldsets = (
            ("What", ("mode", "new_name", "urgent", "reason", "extras")),
            ("Where", ("site", "rack", "unit")),
        )
        presets = {
            "Weekly check": {"mode": "check", "note": "every week"},
            "To Bern": {"mode": "move", "site": "bern", "urgent": False, "extras": ["rails-bern"]},
        }

    def extras_of(self, values):
        return [("cable", "A cable"), (f"rails-{values.get('site', '')}", "Rails")]

    def validate(self, data):
        if data["unit"] == 13:
            raise InvalidData({"unit": ["Nothing is put into unit 13."]})

    def run(self, data, commit):
        return data


class Narrows(Job):
    """Has a picker, and a secret that is only asked for sometimes."""

    site = ObjectVar(model=Site, required=False)
    device = ObjectVar(
        model=Device, required=False, query_params={"site_id": "$site"}, shown_if={"site": True}
    )
    signed = BooleanVar()
    key = SecretVar(shown_if={"signed": True})

    def run(self, data, commit):
        return bool(data["key"])
