"""`python -m webapp.cli`, which the launcher runs."""

from webapp.cli import main

main(prog_name="./errand")
