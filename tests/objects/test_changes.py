"""Change records: in the transaction of the change, and only then."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from examples.inventory.models import DeviceType, Manufacturer
from store.changes import LONGEST_VALUE, Author, _plain, object_changes, record_changes
from store.data import Data
from store.objects import changes_of, take_changes

AUTHOR = Author(uuid4(), 2, "alice")


@pytest.fixture
def watched(run: Any) -> Any:
    run.on_flush.append(lambda session: record_changes(session, AUTHOR))
    return run


def facts(session: Any) -> list[tuple[Any, ...]]:
    rows = session.execute(select(object_changes).order_by(object_changes.c.id)).all()
    return [(row.action, row.object_type, row.object_text, row.before, row.after) for row in rows]


def test_what_is_made_changed_and_deleted_is_written_down(watched: Any):
    maker = Manufacturer(name="Cisco", slug="cisco")
    maker.save()
    pk = maker.pk
    maker.name = "Cisco Systems"
    maker.save()
    maker.delete()
    kind = "inventory.manufacturer"
    made = {"id": pk, "name": "Cisco", "slug": "cisco"}
    assert facts(watched) == [
        ("create", kind, "Cisco", None, made),
        ("update", kind, "Cisco Systems", {"name": "Cisco"}, {"name": "Cisco Systems"}),
        ("delete", kind, "Cisco Systems", {**made, "name": "Cisco Systems"}, None),
    ]
    rows = changes_of(watched, kind, pk)
    assert [row.action for row in rows] == ["delete", "update", "create"], "the newest first"
    assert {(row.result_id, row.attempt, row.username) for row in rows} == {tuple(AUTHOR)}
    assert [row.action for row in changes_of(watched, kind, pk, before_id=rows[0].id, limit=1)] == ["update"]


def test_what_was_read_again_before_it_is_changed_is_known_as_it_was(data: Data, watched: Any):
    Manufacturer(name="Cisco", slug="cisco").save()
    watched.commit()
    watched.expunge_all()
    maker = Manufacturer.objects.get(name="Cisco")
    maker.slug = "c"
    maker.save()
    maker.slug = "c"
    maker.save()
    assert facts(watched)[1:] == [
        ("update", "inventory.manufacturer", "Cisco", {"slug": "cisco"}, {"slug": "c"})
    ]


def test_a_relation_is_the_column_that_holds_it(watched: Any):
    cisco, juniper = (Manufacturer(name=name, slug=name.lower()) for name in ("Cisco", "Juniper"))
    cisco.save()
    juniper.save()
    model = DeviceType(manufacturer=cisco, model="C9300", slug="c9300")
    model.save()
    model.manufacturer = juniper
    model.save()
    assert facts(watched)[-1][3:] == ({"manufacturer_id": cisco.pk}, {"manufacturer_id": juniper.pk})


@pytest.mark.parametrize("refused", [False, True])
def test_a_change_that_is_rolled_back_leaves_no_record(data: Data, watched: Any, refused: bool):
    Manufacturer(name="Cisco", slug="cisco").save()
    watched.commit()
    if refused:
        with pytest.raises(Exception, match=r"(?i)unique"):
            Manufacturer(name="Cisco", slug="again").save()
        watched.commit()
    else:
        Manufacturer(name="Other", slug="other").save()
        watched.rollback()
    assert [change[2] for change in facts(watched)] == ["Cisco"]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.5, 1.5),
        (True, True),
        (None, None),
        ({"a": ["b\0"]}, {"a": ["b\N{REPLACEMENT CHARACTER}"]}),
        (float("nan"), "nan"),
        (Decimal("1.10"), "1.10"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        ("x" * (LONGEST_VALUE + 1), "x" * LONGEST_VALUE + "…"),
    ],
)
def test_a_value_is_kept_as_json_can_keep_it(value: Any, kept: Any):
    assert _plain(value) == kept


def test_whoever_acts_on_changes_takes_each_once_and_in_order(data: Data, watched: Any):
    for number in range(5):
        Manufacturer(name=f"m{number}", slug=f"m{number}").save()
    watched.commit()
    assert [row.object_text for row in take_changes(watched, limit=2)] == ["m0", "m1"]
    watched.rollback()
    assert [row.object_text for row in take_changes(watched, limit=2)] == ["m0", "m1"], "not committed"
    watched.commit()
    assert [row.object_text for row in take_changes(watched)] == ["m2", "m3", "m4"]
    watched.commit()
    assert take_changes(watched) == []


def test_changes_that_were_not_committed_cannot_be_taken(data: Data, watched: Any):
    Manufacturer(name="Cisco", slug="cisco").save()
    with data.session() as reader:
        assert reader.scalar(select(object_changes.c.id)) is None
    watched.commit()
    with data.session() as reader:
        assert reader.scalar(select(object_changes.c.id)) is not None
