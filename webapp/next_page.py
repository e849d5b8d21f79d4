"""Where to go after signing in: to a page of ours, never elsewhere."""

from flask import has_request_context, request

#: Below these there is nothing to come back to.
NOT_PAGES = ("/login", "/logout", "/static/", "/api/")


def safe_path(given: str | None) -> str | None:
    """Return `given` when it is a path on this site, as the browser has it; None for everything that could lead away."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return None
    if "\\" in given or any(character <= " " or character == "\x7f" for character in given):
        return None
    # What stands beside the prefix of a portal is somebody else's.
    prefix = request.script_root if has_request_context() else ""
    if not given.startswith(f"{prefix}/") or given.startswith(tuple(f"{prefix}{each}" for each in NOT_PAGES)):
        return None
    return given
