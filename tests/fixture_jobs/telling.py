"""Jobs that tell what they should keep to themselves."""

import subprocess

from jobs import Job, SecretVar, StringVar

name = "Telling"


class Shown:
    def __init__(self, text, url):
        self.text = text
        self.url = url

    def __str__(self):
        return self.text

    def get_absolute_url(self):
        return self.url


class Tells(Job):
    secret = StringVar()

    def run(self, secret):
        self.log_info(f"Cloning https://alice:{secret}@git.example.com/network.git")
        self.log_info("Nothing to see here.")
        self.logger.warning("The password is **%s**", secret)
        print(f"export DB_PASSWORD={secret}")
        subprocess.run(["echo", f'{{"pwd": "{secret}"}}'], check=True)
        self.active_test = f"pwd={secret}"
        self.log_info(Shown(f"alice:{secret}@host", f"/hosts/?login={secret}@host"), "An object.")
        self.log_info(Shown("host", "/hosts/1"), "Another.")
        self.job_result.data["kept"] = {"pwd": secret, "urls": [f"ftp://u:{secret}@host/"], "count": 3}
        return {"password": secret, "url": f"https://u:{secret}@host/", f"secret: {secret}": None}


class TellsAsItBreaks(Job):
    secret = StringVar()

    def run(self, secret):
        raise ValueError(f"https://alice:{secret}@host refused username: alice, password: {secret}")


class TellsPlainly(Job):
    """Says the value where no rule would look for one."""

    value = SecretVar()

    def run(self, value):
        self.log_info(f"It is {value}!")
        print(f"<{value}>")
        subprocess.run(["echo", f"({value})"], check=True)
        self.log_info("x" * 63_990 + value)
        self.job_result.data[value] = [value]
        if value.startswith("break"):
            raise ValueError(f"not with {value}")
        if value.startswith("long"):
            return "x" * 999_990 + value
        return f"{value}, {value}"
