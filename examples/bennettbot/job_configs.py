"""Commands for a small server room, as bennettbot has them."""

from bennettbot.job_configs import build_config

# fmt: off
raw_config = {
    "hello": {
        "description": "Something to try",
        "jobs": {
            "world": {
                "run_args_template": "echo Hello",
                "report_stdout": True,
            },
            "name": {
                # Each value stays one argument, whatever somebody types.
                "run_args_template": "printf 'Hello %s\\n' {name}",
                "report_stdout": True,
            },
        },
        "slack": [
            {
                "command": "world",
                "help": "says hello",
                "action": "schedule_job",
                "job_type": "world",
                "delay_seconds": 1,
            },
            {
                "command": "to [name]",
                "help": "says hello to [name]",
                "action": "schedule_job",
                "job_type": "name",
            },
        ],
    },
    "disks": {
        "description": "How full disks are",
        "restricted": True,
        "default_channel": "#operations",
        "jobs": {
            "usage": {
                "run_args_template": "python usage.py --path {path}",
                "report_stdout": True,
                "report_format": "blocks",
            },
            "table": {
                # Braces of the command's own are doubled.
                "run_args_template": "df -P {path} | awk '{{print $1, $5}}'",
                "report_stdout": True,
                "report_format": "code",
            },
            "check": {
                # Says something only where there is something to say.
                "run_args_template": "python usage.py --path / --over {percent}",
                "report_stdout": True,
                "suppress_empty": True,
                "call_tech_support_on_error": False,
            },
            "sweep": {
                "run_args_template": "echo swept > \"$WRITEABLE_DIR/swept\"",
                "report_success": False,
            },
        },
        "slack": [
            {
                "command": "usage of [path]",
                "help": "tells how full the disk with [path] is",
                "action": "schedule_job",
                "job_type": "usage",
            },
            {
                "command": "table of [path]",
                "help": "the same as a table",
                "action": "schedule_job",
                "job_type": "table",
            },
            {
                "command": "check over [percent]",
                "help": "tells of the disk if it is fuller than [percent]",
                "action": "schedule_job",
                "job_type": "check",
            },
            {
                "command": "sweep",
                "help": "sweeps, a minute from now",
                "action": "schedule_job",
                "job_type": "sweep",
                "delay_seconds": 60,
            },
            {
                "command": "sweep cancel",
                "help": "calls off what waits",
                "action": "cancel_job",
                "job_type": "sweep",
            },
            {
                "command": "sweep suppress from [start_at] to [end_at]",
                "help": "sweeps not between these times today (UTC, HH:MM)",
                "action": "schedule_suppression",
                "job_type": "sweep",
            },
            {
                "command": "sweep suppress cancel",
                "help": "sweeps again",
                "action": "cancel_suppression",
                "job_type": "sweep",
            },
        ],
    },
}
# fmt: on

config = build_config(raw_config)
