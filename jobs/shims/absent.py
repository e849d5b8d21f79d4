"""Names that a served module should have and has not, each with a sentence for who imports it."""

from collections.abc import Callable, Mapping
from typing import Any


def absent(module: str, sentences: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for the module that raises ImportError for these names: {name: what to do instead}."""

    def find(name: str) -> Any:
        if name in sentences:
            raise ImportError(f"{module} has no {name}: {sentences[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


#: What nothing can be made of in a run.
TESTING = dict.fromkeys(
    ("run_job_for_testing", "TransactionTestCase", "TestCase", "APITestCase"),
    "tests run in a process of their own, with the plugin `worker.pytest_plugin` (docs/testing.md)",
)
PLATFORM_MODELS = {
    "Job": "runs cannot see job records; the class of a job comes from nautobot.extras.jobs",
    "JobResult": "runs cannot see other results; a job has its own in `self.job_result`",
    "JobLogEntry": "runs cannot read entries back; a job writes them with `self.log_info` and the like",
    "ScheduledJob": "runs cannot see schedules; they are made on the portal's pages",
}
