"""`./errand data-files`: text files that the portal keeps, for many runs to read."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli import with_portal

if TYPE_CHECKING:
    from webapp.cli.portal import Portal

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers it.")


@click.group("data-files")
def data_files() -> None:
    """List, show, add and remove data files: text files that jobs read."""


@data_files.command("list")
@as_json_option
@with_portal
def list_data_files(portal: "Portal", as_json: bool) -> None:
    """List data files, one a line: name, entries, size, who uploaded it, when it changed, description."""
    from webapp.cli.printing import show

    columns = (
        ("Name", lambda row: row["name"]),
        ("Entries", lambda row: row["entries"]),
        ("Bytes", lambda row: row["size_bytes"]),
        ("By", lambda row: row["user"] or ""),
        ("Changed", lambda row: row["updated_at"][:19]),
        ("Description", lambda row: row["description"]),
    )
    show(portal.every("/data-files", sort="name"), columns, as_json=as_json)


@data_files.command("show")
@click.argument("name")
@as_json_option
@with_portal
def show_data_file(portal: "Portal", name: str, as_json: bool) -> None:
    """Show a data file: how many entries it has, which version it is, who uploaded it."""
    from webapp.cli.printing import print_json, show_one

    found = portal.get(f"/data-files/{name}")
    if as_json:
        print_json(found)
    else:
        show_one([(key.replace("_", " "), value) for key, value in found.items()])


@data_files.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="What it is called here.  [default: as the file is]")
@click.option("--replace", is_flag=True, help="Have it take the place of the one that is called so.")
@with_portal
def add(portal: "Portal", path: Path, name: str, replace: bool) -> None:
    """Upload a data file, and print its name."""
    with path.open("rb") as stream:
        part = ("file", (path.name, stream, "text/plain"))
        if replace:
            found = portal.put(f"/data-files/{name or path.name}/content", parts=[part])
        else:
            parts = [part, *([("name", (None, name, "text/plain"))] if name else [])]
            found = portal.post("/data-files", parts=parts)
    click.echo(found["name"])


@data_files.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@with_portal
def remove(portal: "Portal", name: str, yes: bool) -> None:
    """Delete a data file: runs and schedules that name it cannot begin any more."""
    if not yes:
        click.confirm(f"Delete {name}?", abort=True)
    portal.delete(f"/data-files/{name}")
    click.echo(f"Deleted {name}.", err=True)
