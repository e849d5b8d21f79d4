"""Tells how full a disk is: as blocks for Slack, or in a line if it is fuller than it should be."""

import argparse
import json
import shutil

from workspace.utils.blocks import section

parser = argparse.ArgumentParser()
parser.add_argument("--path", default="/")
parser.add_argument("--over", type=int)
options = parser.parse_args()

usage = shutil.disk_usage(options.path)
percent = round(100 * usage.used / usage.total)
if options.over is None:
    print(json.dumps([section(f"*{options.path}* is {percent} % full")]))
elif percent > options.over:
    print(f"{options.path} is {percent} % full")
