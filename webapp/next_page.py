"""Where to go after signing in: to a page of ours, never elsewhere."""

#: Below these there is nothing to come back to.
NOT_PAGES = ("/login", "/logout", "/static/", "/api/")


def safe_path(given: str | None) -> str | None:
    """Return `given` when it is a path on this site; None for everything that could lead away."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return None
    if "\\" in given or any(character <= " " or character == "\x7f" for character in given):
        return None
    return None if given.startswith(NOT_PAGES) else given
