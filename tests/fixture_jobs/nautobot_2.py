"""Jobs as they are written since Nautobot 2.0, with one behaviour each."""

from examples.inventory.models import Manufacturer
from jobs import BooleanVar, DryRunVar, IntegerVar, Job, ObjectVar, StringVar, get_task_logger, register_jobs
from jobs.errors import RunJobTaskFailed

name = "Nautobot 2"

logger = get_task_logger(__name__)


class Dialect2(Job):
    """A base: nobody registers it."""

    dialect = "2"


class Hooks(Dialect2):
    """Says when it is called, and with what."""

    maker = ObjectVar(model=Manufacturer, required=False)
    count = IntegerVar(required=False)
    word = StringVar(required=False)
    flag = BooleanVar()

    def before_start(self, task_id, args, kwargs):
        logger.info("%s with %s", kwargs["maker"], sorted(kwargs))
        super().before_start(task_id, args, kwargs)

    def run(self, maker, count, word, flag):
        logger.success("found", extra={"object": maker, "grouping": "finds"})
        self.logger.error("no harm")
        self.logger.debug("too little to be kept")
        logger.warning("only for the console", extra={"skip_db_logging": True})
        logger.info("%d", "no number")
        print("printed")
        return {
            "maker": str(maker),
            "rest": [count, word, flag],
            "task": self.request.id,
            "user": str(self.user),
        }

    def on_success(self, retval, task_id, args, kwargs):
        self.logger.info("%s", retval["task"] == task_id == str(self.job_result.id))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.logger.info("%s %s", status, einfo)


class KeepsItsChange(Dialect2):
    """KeepsItsChange as it says, and keeps what it changed."""

    def run(self):
        Manufacturer(name="Kept", slug="kept").validated_save()
        self.fail("%s of %d did not answer", "One", 3)
        return "what there is"

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.logger.info("%s, %s", exc, einfo)


class LosesItsChange(Dialect2):
    """Loses what it changed; what `on_failure` changes stays."""

    def run(self):
        Manufacturer(name="Lost", slug="lost").validated_save()
        raise ValueError("no")

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.logger.info("%s: %s", type(exc).__name__, einfo.traceback.splitlines()[-1])
        Manufacturer(name="After", slug="after").validated_save()


class GivesUp(Dialect2):
    def run(self):
        raise RunJobTaskFailed("There is nothing to do.")


class DryRuns(Dialect2):
    dryrun = DryRunVar()

    class Meta:
        dryrun_default = True

    def run(self, dryrun):
        return dryrun


class Single(Dialect2):
    class Meta:
        name = "One of a kind"
        is_singleton = True

    def run(self):
        return "alone"


class HooksOfOurs(Job):
    """No mark: that it has a hook tells its dialect."""

    def run(self):
        return "ran"

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.logger.info("after")


register_jobs(Hooks, KeepsItsChange, LosesItsChange, GivesUp, DryRuns, Single, HooksOfOurs)
register_jobs(Single)
