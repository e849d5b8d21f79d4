"""Jobs with a robot."""

from bases import CheckBase
from botscheduler import *
from http_robot import StatusBot


class HostsBase(CheckBase):
    def down(self, url, hosts):
        with StatusBot(url) as bot:
            states = {host: bot.state(host) for host in hosts}
        self._data = {host: state for host, state in states.items() if state and state["state"] != "up"}
        rows = [[host, state["state"], state["since"]] for host, state in self._data.items()]
        return [self.found(rows, ["Host", "State", "Since"]), Data({"asked": len(hosts), "down": len(rows)})]


class HostsCheck(HostsBase):
    info = {
        "job_class_name": "Hosts that are down",
        "notes": "Asks the status service about each host, and lists those that are not up.",
        "arguments": [
            {"type": "string", "description": "Address of the service"},
            {"type": "list", "description": "Hosts"},
        ],
        "example_arguments": '["http://127.0.0.1:8080", ["web-1", "web-2"]]',
        "report_title": "Hosts that are down",
    }

    @report
    def run(self, url, hosts, **kwargs):
        return self.down(url, hosts)


class HostsOfFile(HostsBase):
    info = {
        "job_class_name": "Hosts of a file that are down",
        "notes": "Asks the status service about each host that stands in a data file, one a line.",
        "arguments": [
            {"type": "string", "description": "Address of the service"},
            {"type": "file", "description": "Hosts"},
        ],
    }

    @report
    def run(self, url, path, **kwargs):
        with open(path) as file:
            lines = [line.strip() for line in file]
        return self.down(url, [line for line in lines if line and not line.startswith("#")])


class LoadCheck(CheckBase):
    info = {
        "job_class_name": "Load over a limit",
        "notes": "Says whether the load that is typed in is over the limit.",
        "arguments": [
            {"type": "string", "description": "Load"},
            {"type": "range", "description": "Limit", "min": 1, "max": 64, "step": 1},
            {"type": "bool", "description": "Fail if it is over"},
        ],
    }

    def run(self, load, limit, strict=False, **kwargs):
        over = float(load) > limit
        if over and strict:
            raise ValueError(f"The load of {load} is over {limit}.")
        return {"over": over}
