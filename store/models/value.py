"""What jobs keep from one run to the next."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import now
from store.models.base import Base


class JobValue(Base):
    """A value under a key of its job's own. It belongs to the class path: a job that is gone may come back."""

    __tablename__ = "job_values"

    #: `<source>/<module>/<Class>`.
    class_path: Mapped[str] = mapped_column(String(400), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    #: None is a value, too.
    value: Mapped[Any] = mapped_column(JSON(), nullable=False)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    #: The run that wrote it; None: it was deleted, or a person wrote the value.
    result_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_results.id", ondelete="SET NULL"), index=True
    )
