"""What may stand in the record of a git repository: addresses, branches, folders. Each rule returns a sentence, or ""."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

LONGEST_SLUG, LONGEST_URL, LONGEST_REF, LONGEST_PATH = 50, 1_000, 200, 200

#: What an operator may allow besides https and ssh (ERRAND_GIT_ALLOW): plain http, folders of this machine, and addresses
#: of this machine itself.
ALLOWANCES = ("http", "file", "local")

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
#: git@example.com:team/jobs.git
_SHORT_SSH = re.compile(r"(?:[A-Za-z0-9_][\w.-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!/?/)[^\s]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9_][\w./+@#-]*")
_FOLDER = re.compile(r"[\w][\w .+-]*")


def problem_of_slug(slug: str) -> str:
    if len(slug) > LONGEST_SLUG or not _SLUG.fullmatch(slug):
        return f"Use at most {LONGEST_SLUG} small letters, digits, hyphens and underscores, beginning with a letter or digit."
    return ""


def problem_of_url(url: str, allowed: Collection[str] = ()) -> str:
    """Say why git is not to be given this address. `ext::` and whatever looks like an option are none."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        return f"Write an address without blanks, of at most {LONGEST_URL:,} characters."
    scheme = scheme_of(url)
    if scheme in ("http", "file"):
        if scheme not in allowed:
            return f"{scheme} is not allowed here: use https or ssh, or have an operator set ERRAND_GIT_ALLOW={scheme}."
    elif scheme not in ("https", "ssh"):
        return "Write an https or ssh address: https://example.com/team/jobs.git or git@example.com:team/jobs.git."
    if scheme == "file":
        return "" if url.startswith("file:///") else "Write file:///, and the whole path of the repository."
    return "" if _SHORT_SSH.fullmatch(url) and "://" not in url else _problem_of_parts(url, scheme)


def _problem_of_parts(url: str, scheme: str) -> str:
    try:
        parts = urlsplit(url)
        fine = bool(parts.port is None or parts.port > 0)
    except ValueError:
        return "This is no address."
    if parts.password is not None or (parts.username is not None and scheme != "ssh"):
        return "Leave names and passwords out of the address: there are inputs for them below."
    if parts.username is not None and not _USER.fullmatch(parts.username):
        return "This is no user name for ssh."
    if not fine or not _HOST.fullmatch(parts.hostname or "") or len(parts.path) < 2:
        return "Write a server and a path: https://example.com/team/jobs.git."
    return "Leave out what stands behind ? or #." if parts.query or parts.fragment else ""


def scheme_of(url: str) -> str:
    """Return "https", "ssh", ...; "" for what is no address of a repository."""
    if "://" in url:
        return url.partition("://")[0]
    return "ssh" if _SHORT_SSH.fullmatch(url) else ""


def host_of(url: str) -> str:
    if "://" in url:
        return urlsplit(url).hostname or ""
    found = _SHORT_SSH.fullmatch(url)
    return found[1] if found else ""


def problem_of_ref(ref: str) -> str:
    """Say why this is no branch or tag, as git itself would (git help check-ref-format) or more strictly."""
    wrong = any(part in ref for part in ("..", "//", "@{", "/.")) or ref.endswith(("/", ".", ".lock"))
    if ref and (len(ref) > LONGEST_REF or wrong or ".lock/" in ref or not _REF.fullmatch(ref)):
        return "This is no name of a branch or tag. Leave it empty for the main branch."
    return ""


def problem_of_path(path: str) -> str:
    parts = path.split("/")
    if path and (len(path) > LONGEST_PATH or not all(_FOLDER.fullmatch(part) for part in parts)):
        return "Write a folder of the repository, such as jobs or src/jobs; leave it empty for the top."
    return ""


def problem_of_host_keys(text: str) -> str:
    """Say why this is no content of a known_hosts file."""
    for line in filter(None, map(str.strip, text.splitlines())):
        # Markers such as @cert-authority would let other keys sign.
        if not re.fullmatch(r"[^\s#@]\S* (ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+( .*)?", line):
            return "Write lines as ssh-keyscan prints them: the host, the kind of key, the key."
    return ""
