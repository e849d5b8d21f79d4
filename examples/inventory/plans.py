"""Jobs that say what they would do before they do it: a dialect that only this plugin has.

    class Retire(Plan):
        site = ObjectVar(model=Site)

        def plan(self, site):
            for device in Device.objects.filter(site=site):
                yield Step(device, "retire", device.delete)

In a dry run the steps are logged, and nothing else. With commit they are done one after the other, and saved together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from jobs import Job
from jobs.lifecycle import Life


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    #: The object it is done to.
    about: Any
    #: What is done, as an order: "retire".
    what: str
    act: Callable[[], Any]


class Plan(Job):
    """A job in the manner of plans. Write `plan(self, **inputs)`, which yields steps and changes nothing itself."""

    dialect: ClassVar[str] = "plan"

    plan: Callable[..., Iterable[Step]]


class PlanLife(Life):
    """What happens in a run of such a job."""

    dialect: ClassVar[str] = "plan"

    def live(self) -> None:
        try:
            self._make_and_follow()
        except Exception as error:
            self.note(error)
            self.roll_back()
        except BaseException:
            # A time limit, or exit(): half a plan is none.
            self.roll_back()
            raise

    def _make_and_follow(self) -> None:
        self.job.active_test = "plan"
        with self.around("run"):
            steps = list(self.job.plan(**self.data))  # type: ignore[attr-defined]
            for step in steps:
                self._do(step) if self.commit else self.job.log_info(step.about, f"Would {step.what}")
        self.return_value = {"steps": len(steps), "done": self.commit}
        if self.commit:
            self.commit_changes()
        else:
            self.roll_back()

    def _do(self, step: Step) -> None:
        step.act()
        self.job.log_success(step.about, f"Done: {step.what}")
