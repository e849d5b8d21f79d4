"""The smallest useful job: copy this file and change it."""

from jobs import ChoiceVar, IntegerVar, Job, StringVar

name = "First steps"


class Hello(Job):
    """Greet someone, as often as you like.

    Each greeting becomes a line of the log, and the line is **markdown**.
    """

    who = StringVar(description="Whom to greet", default="world", max_length=60)
    times = IntegerVar(description="1 to 100", default=1, min_value=1, max_value=100)
    tone = ChoiceVar(choices=[("warm", "Warm"), ("formal", "Formal")], default="warm")

    class Meta:
        name = "Hello"

    def run(self, who, times, tone):
        greeting = "Hello" if tone == "warm" else "Good day"
        for number in range(1, times + 1):
            self.log_info(f"{greeting}, **{who}**! ({number} of {times})")
        self.log_success("Everybody has been greeted.")
        return {"greeted": who, "times": times}
