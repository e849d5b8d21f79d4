"""What all tables of the PLATFORM database share."""

import uuid
from datetime import datetime
from typing import Annotated

from sqlalchemy import MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

from store.columns import NAMING, TYPES, now


class Base(DeclarativeBase):
    """The tables of the PLATFORM database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


Key = Annotated[int, mapped_column(primary_key=True)]
RandomKey = Annotated[uuid.UUID, mapped_column(primary_key=True, default=uuid.uuid4)]
CreatedAt = Annotated[datetime, mapped_column(default=now)]
Name = Annotated[str, mapped_column(String(255))]
LongText = Annotated[str, mapped_column(Text)]
