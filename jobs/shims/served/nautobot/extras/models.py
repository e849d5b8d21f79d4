"""Models that go with others, such as Status; jobs, results and entries are none of a run's business."""

from jobs.shims.absent import PLATFORM_MODELS
from jobs.shims.models import models_of

__getattr__ = models_of(__name__, PLATFORM_MODELS)
