"""Jobs as the people who come from Nautobot 1.x have them: nothing in here knows of Errand."""

import time

from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.utils.text import slugify
from nautobot.apps.jobs import JobButtonReceiver as LaterButtonReceiver
from nautobot.dcim.models import Device, DeviceRole, DeviceType, Manufacturer, Site
from nautobot.extras.choices import LogLevelChoices, ObjectChangeActionChoices
from nautobot.extras.jobs import *
from nautobot.extras.jobs import BaseJob, JobButtonReceiver, JobHookReceiver, get_job
from nautobot.extras.models import Status
from nautobot.extras.reports import Report
from nautobot.extras.scripts import Script
from nautobot.utilities.exceptions import AbortTransaction
from nautobot.utilities.logging import sanitize

name = "From Nautobot 1"

logger = get_task_logger(__name__)


class OpensAShop(Job):
    class Meta:
        name = "Open a shop"
        field_order = ["shop", "model"]
        commit_default = False

    maker = ObjectVar(model=Manufacturer, required=False)
    model = ObjectVar(model=DeviceType, query_params={"manufacturer_id": "$maker"})
    shop = StringVar(min_length=3, widget=forms.Textarea)

    def run(self, data, commit):
        planned = Status.objects.get(slug="planned")
        site = Site(name=data["shop"], slug=slugify(data["shop"]), status=planned)
        site.validated_save()
        self.log_success(obj=site, message="Opened")
        till = Device(
            name=f"{site.slug}-till",
            site=site,
            status=planned,
            device_type=data["model"],
            device_role=DeviceRole.objects.get(slug="till"),
        )
        till.validated_save()
        self.log_success(till, "Delivered")
        return f"{till.name} by {till.device_type.manufacturer}"


class ChecksShops(Job):
    description = "Look at **every** shop."

    def test_zone(self):
        for site in Site.objects.filter(status__slug="planned"):
            self.log_warning(obj=site, message=f"{site.name} has no time zone")

    def test_address(self):
        self.log_success(obj=None)
        self.log_info(message=123)
        self.log_debug("looked twice")
        logger.warning("for %s", "good measure")

    def post_run(self):
        self.log(f"{self.results is self.job_result.data} {self.result is self.job_result}")


class CountsTills(Script):
    """A script takes messages and no objects."""

    class Meta:
        name = "Count tills"

    at_least = IntegerVar(default=0, min_value=0)

    def run(self, data):
        found = Device.objects.count()
        self.log_info(f"{found} tills")
        if found < data["at_least"]:
            self.log_failure("too few")
        return found


class ScriptOfNothing(Script):
    pass


class ChecksTills(Report):
    description = "Are there any?"

    def test_any(self):
        for status in Status.objects.all():
            self.log_success(status)
            self.log_info(status, "seen")
        self.log_warning(None, "that was all")

    def test_nothing(self):
        self.log_failure(obj="till 7", message="missing")


class ReportOfNothing(Report):
    pass


class ReportsWithoutAMessage(Report):
    def test_it(self):
        self.log_failure(Status.objects.first())


class SavesInParts(Job):
    """Three makers, each in a part of its own; the second is taken back."""

    @transaction.atomic
    def make(self, name, fails=False):
        Manufacturer(name=name, slug=slugify(name)).validated_save()
        transaction.on_commit(lambda: self.log_info(f"told of {name}"))
        if fails:
            raise ValidationError("%(name)s is not wanted", params={"name": name})

    def run(self, data, commit):
        self.make("One")
        try:
            self.make("Two", fails=True)
        except ValidationError as error:
            self.log_warning(message=error.messages[0])
        with transaction.atomic():
            self.make("Three")
        try:
            Manufacturer.objects.get(name="Two")
        except ObjectDoesNotExist:
            self.log_info("Two is gone")


class TellsInVain(Job):
    """What is to be done after the commit fails; the changes are saved all the same."""

    def fails(self):
        Manufacturer(name="Half", slug="half").save()
        Manufacturer(name="Kept", slug="kept").save()

    def run(self, data, commit):
        Manufacturer(name="Kept", slug="kept").save()
        transaction.on_commit(self.fails)
        transaction.on_commit(lambda: self.log_info("told"))


class ChangesAfterwards(Job):
    def run(self, data, commit):
        transaction.on_commit(lambda: Manufacturer(name="Late", slug="late").save())


class Aborts(Job):
    def run(self, data, commit):
        Manufacturer(name="Aborted", slug="aborted").save()
        raise AbortTransaction("enough")


class Hurried(Job):
    """Its hard limit comes before the usual soft one."""

    class Meta:
        time_limit = 20

    def run(self, data, commit):
        self.log_info("in time")


class CleansUpInTime(Job):
    class Meta:
        soft_time_limit = 0.3
        time_limit = 30
        has_sensitive_variables = False

    def run(self, data, commit):
        try:
            while True:
                time.sleep(0.01)
        except SoftTimeLimitExceeded:
            self.log_info("cleaned up")


class AsksForMuch(Job):
    """Looks at all that is served and does nothing."""

    def run(self, data, commit):
        self.log_info(f"{settings.CELERY_TASK_DEFAULT_QUEUE} {settings.JOBS_ROOT.endswith('fixture_jobs')}")
        self.log_info(f"{getattr(settings, 'NO_SUCH_SETTING', 'none')}")
        self.log_info(f"{LogLevelChoices.LOG_FAILURE} {ObjectChangeActionChoices.values()}")
        self.log_info(sanitize("to alice:pa55@host", "***"))
        self.log_info(f"{get_job('local/nautobot_1/Aborts').__name__} {get_job('local/nautobot_1/No')}")
        get_user_model()


class TwinOfOne(Job):
    class Meta:
        name = "Twin"


class TwinOfTwo(Job):
    class Meta:
        name = "Twin"


class Hears(JobHookReceiver):
    class Meta:
        hidden = True

    def receive_job_hook(self, change, action, changed_object):
        return [action, changed_object, change.object_data["name"]]


class HearsAfterStarting(Hears):
    """Called as jobs are since Nautobot 2.0."""

    class Meta:
        hidden = True

    def before_start(self, task_id, args, kwargs):
        self.log_info(message=f"about {sorted(kwargs)}")

    def receive_job_hook(self, change, action, changed_object):
        return f"{action} {changed_object.name}"


class HearsAndChanges(JobHookReceiver):
    class Meta:
        hidden = True

    def receive_job_hook(self, change, action, changed_object):
        old, new = (change.get_snapshots()[name]["name"] for name in ("prechange", "postchange"))
        data = change.object_data
        self.log_info(
            message=f"{action} {change.changed_object_type} {change.object_repr} by {change.user}: "
            f"{old} to {new}, slug {data['slug']}; {changed_object}"
        )
        changed_object.name = "Again"
        changed_object.validated_save()


class Pressed(JobButtonReceiver):
    def receive_job_button(self, obj):
        self.log_success(obj, f"Pressed for {obj.slug}")
        obj.name = "Pressed"
        obj.validated_save()
        return obj.name


class PressedLater(LaterButtonReceiver):
    def before_start(self, task_id, args, kwargs):
        self.logger.info("%s %s", kwargs["object_model_name"], kwargs["object_pk"])

    def receive_job_button(self, obj):
        self.logger.info("Pressed for %s", obj.slug, extra={"object": obj})
        return obj.name


class Renames(Job):
    def run(self, data, commit):
        maker = Manufacturer.objects.get(slug="new")
        maker.name = "Renamed"
        maker.validated_save()


class Deletes(Job):
    def run(self, data, commit):
        Manufacturer.objects.get(slug="new").delete()


class OnlyABase(BaseJob):
    def helps(self):
        return 1


class NamesThemOddly(Job):
    """Its inputs are called as much else is that a job has."""

    data = StringVar()
    request = StringVar()
    user = StringVar()
    result = StringVar()
    file_path = StringVar()
    class_path = StringVar()
    grouping = StringVar()

    def run(self, data, commit):
        self.log_info(f"{self.job_result.user} asks")
        return ",".join(f"{name}={value}" for name, value in data.items())
