"""A job that visits every station of a run."""

from jobs import BooleanVar, Job, StringVar


class Stations(Job):
    """**All** stations."""

    description = "Visits every station."
    text = StringVar(required=False)
    flag = BooleanVar()

    class Meta:
        name = "All stations"

    def run(self, data, commit):
        self.log("plain")
        self.log_debug("debug")
        self.log_info("info with `code`")
        self.log_success(obj="an object", message="success")
        self.logger.warning("by %s", "logger")
        self.job_result.data["kept"] = [1, 2]
        self.seen = data
        return "first\nsecond"

    def test_zebra(self):
        self.log_info("zebra")
        return "third"

    def test_apple(self):
        self.active_test = "another group"
        self.log_warning("apple")

    def post_run(self):
        self.log_success(message=f"failed={self.failed} kept={self.results['kept']}")
        return ""
