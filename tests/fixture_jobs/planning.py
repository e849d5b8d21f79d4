"""Jobs that say beforehand what they will change."""

from pathlib import Path

from nautobot.extras.jobs import Job as TheirJob

from jobs import FileVar, Job, JobFailed, SecretVar, StringVar

name = "Planning"


class Plans(Job):
    """What it changes is what stands in a file: the world, which goes on meanwhile."""

    class Meta:
        approval_required = True
        approval_expires = 3600

    world = StringVar()

    def plan(self, world):
        self.log_info("I look.")
        self.left_behind = True
        return Path(world).read_text().splitlines()

    def run(self, world):
        self.log_success(f"Changed. {hasattr(self, 'left_behind')}")


class PlansWithSecrets(Job):
    class Meta:
        approval_required = True

    token = SecretVar()
    switches = FileVar()

    def plan(self, data):
        return [{"switch": line, "add": 1} for line in data["switches"].read().decode().split()] + [
            data["token"]
        ]

    def run(self, token, switches):
        self.log_success(f"{switches.read().decode()} {len(token)}")


class CannotPlan(Job):
    class Meta:
        approval_required = True

    def plan(self):
        raise JobFailed("The controller did not answer.")

    def run(self):
        pass


class TheirsPlans(TheirJob):
    class Meta:
        approval_required = True
        has_sensitive_variables = False

    def plan(self, device, vlan):
        raise RuntimeError("a helper of theirs was called")

    def run(self, data, commit):
        self.log_success("Done.")
