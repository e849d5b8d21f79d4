"""Where this portal's pages are for whoever reads: a proxy may have put all of them below a prefix.

What is stored, or said by a job, names a page by its path on the portal ("/objects/inventory.site/1"). `url_for` knows the
prefix by itself; whatever it does not make goes through here.
"""

from flask import Flask, request

from store.html import links_below


def init_app(app: Flask) -> None:
    app.jinja_env.filters["here"] = here


def here(address: str) -> str:
    """Return the address of a page that is named by its path on the portal; addresses elsewhere stay as they are."""
    if not address.startswith("/") or address.startswith("//"):
        return address
    return f"{request.script_root}{address}"


def links_here(html: str) -> str:
    """Have links to pages of the portal, in sanitized HTML, lead to where these are."""
    return links_below(html, request.script_root) if request.script_root else html


def path_here() -> str:
    """Return the path of this request as the browser has it, prefix and all."""
    return f"{request.script_root}{request.path}"
