"""Jobs as functions: the type hints are the form."""

import hashlib
from typing import Annotated, BinaryIO, Literal

from jobs import Job, JobFailed, StringVar, job

name = "Errand's own"


@job(name="Checksum of a file", read_only=True)
def checksum(
    job: Job,
    file: BinaryIO,
    method: Literal["sha256", "sha1", "md5"] = "sha256",
    expected: Annotated[str, StringVar(required=False, regex="^[0-9a-f]*$"), "What it should be."] = "",
) -> str:
    """Take the checksum of a file, and say whether it is the one that was expected."""
    digest = hashlib.new(method, usedforsecurity=False)
    while part := file.read(1024 * 1024):
        digest.update(part)
    found = digest.hexdigest()
    job.log_info(f"{method}: `{found}`")
    if expected and expected != found:
        raise JobFailed(f"Another one was expected: {expected}.")
    return found
