"""What the tests of commands share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from store.models import JobRecord, User, now
from store.settings import Settings, load_settings
from webapp.cli import main

Errand = Callable[..., Result]


@pytest.fixture
def fresh(tmp_path: Path) -> Settings:
    """An instance whose database was never upgraded."""
    return load_settings(tmp_path / "fresh")


@pytest.fixture
def errand(settings: Settings) -> Errand:
    """Call a command on the instance as a script would."""

    def call(*arguments: str, input: str | None = None, on: Settings = settings) -> Result:
        arguments = (*arguments, "--instance", str(on.instance))
        return CliRunner().invoke(main, arguments, input=input, catch_exceptions=False)

    return call


@pytest.fixture
def alice(db: Session) -> User:
    user = User(username="alice")
    db.add(user)
    db.commit()
    return user


@pytest.fixture
def make_job(db: Session) -> Callable[..., JobRecord]:
    def make(class_path: str, **values: object) -> JobRecord:
        source, module, class_name = class_path.split("/")
        record = JobRecord(
            class_path=class_path,
            source=source,
            module=module,
            class_name=class_name,
            name=class_name,
            grouping=module,
            refreshed_at=now(),
            **values,
        )
        db.add(record)
        db.commit()
        return record

    return make
