"""Jobs whose forms have templates of their own."""

from jobs import ChoiceVar, Job, StringVar


class Forming(Job):
    """What is typed into one input is written into another."""

    var1 = StringVar(min_length=3)
    loud = StringVar(required=False)
    size = ChoiceVar(choices=[("s", "Small"), ("l", "Large")], widget="select", default="s")

    class Meta:
        name = "Forming & co"
        template_name = "forms/forming.html"

    def run(self, var1, loud, size):
        return [var1, loud, size]


class Formless(Job):
    class Meta:
        template_name = "forms/nothing_there.html"

    def run(self):
        pass


class Malformed(Job):
    class Meta:
        template_name = "forms/malformed.html"

    def run(self):
        pass
