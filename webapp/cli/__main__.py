"""`python -m webapp.cli`, which the launcher runs."""

from webapp.cli import main

# The variable is named as for the command without its folder, which a shell completes.
main(prog_name="./errand", complete_var="_ERRAND_COMPLETE")
