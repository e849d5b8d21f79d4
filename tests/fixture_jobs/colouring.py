"""Jobs that say things in colours, by all ways there are."""

import logging
import subprocess
import sys

from jobs import Job, SecretVar

name = "Colouring"

PROGRAM = r"""
printf '\033[1;32mok\033[0m from a program <b>\n'
printf '\033[31mErr'; printf 'or: it\nlasts\033[0m, and ends\n'
printf '\033]8;;https://a.example\033\\a link\033]8;;\033\\ and \033]0;title\007text\033[2K\n'
printf '\033[33m10%%\r\033[34m20%%\n'
"""


class Colours(Job):
    def run(self):
        subprocess.run(["sh", "-c", PROGRAM], check=True)
        subprocess.run(["printf", "plain again"], check=True)
        self.log_info("\x1b[35m**coloured**\x1b[0m *text*")
        self.log_info("\x1b[0m**bold**")
        self.log_failure("It broke:\n\n```\n\x1b[31mError\x1b[0m: x\n```")
        logging.getLogger("a.library").warning("\x1b[36mcyan")
        print("\x1b[7min", "verse")
        sys.stderr.write("of another stream\n")
        print("still\x1b[m")


class TellsInColours(Job):
    secret = SecretVar()

    def run(self, secret):
        middle = len(secret) // 2
        split = f"{secret[:middle]}\x1b[1;31m{secret[middle:]}"
        self.log_info(f"\x1b[32mlogged\x1b[0m {split}\x1b[0m \x1b[34mend\x1b[0m")
        print(f"printed {split}\x1b[0m.")
        subprocess.run(["printf", f"said {split}"], check=True)
        self.log_info("pass\x1b[1mword\x1b[0m: \x1b[33mhunter2\x1b[0m")
        self.progress(1, 2, f"at {split}")
        raise ValueError(f"no {split}")
