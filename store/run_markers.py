"""What says that the changes of a run were saved: a row written in the same transaction."""

from sqlalchemy import Boolean, Column, Integer, Table, Uuid, false

from store.object_model import ObjectModel

#: One row for each attempt of a run that saved its changes, or that was ended before it could:
#: whoever comes second finds the row, and so knows which it was.
run_markers = Table(
    "errand_run_markers",
    ObjectModel.metadata,
    Column("result_id", Uuid, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    #: True: a tombstone. Nothing was saved, and nothing can be.
    Column("buried", Boolean, nullable=False, server_default=false()),
)
