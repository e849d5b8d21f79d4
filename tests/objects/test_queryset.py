"""Queries mean what they mean in the field's job files."""

import threading

import pytest
from sqlalchemy import event

from examples.inventory.models import ConsolePort, Device, DeviceType, Manufacturer, Site, Status
from store.objects import (
    BadValue,
    DoesNotExist,
    FieldError,
    MultipleObjectsReturned,
    NoSession,
    ProtectedError,
)

pytestmark = pytest.mark.usefixtures("network")


def names(devices):
    return [device.name for device in devices]


def test_filter_finds_what_the_lookups_say():
    # One database for all of them: making one takes longer than asking it.
    for lookups, found in [
        ({"name": "sw-zrh-1"}, ["sw-zrh-1"]),
        ({"name__exact": "SW-ZRH-1"}, []),
        ({"name__iexact": "SW-ZRH-1"}, ["sw-zrh-1"]),
        ({"name__in": ["sw-zrh-1", "rtr-bsl-1", "nothing"]}, ["rtr-bsl-1", "sw-zrh-1"]),
        ({"name__in": []}, []),
        ({"name__contains": "ZRH"}, []),
        ({"name__icontains": "ZRH-2"}, ["sw-zrh-2"]),
        ({"name__startswith": "rtr"}, ["rtr-bsl-1"]),
        ({"name__startswith": "RTR"}, []),
        ({"name__istartswith": "RTR"}, ["rtr-bsl-1"]),
        ({"name__endswith": "-1"}, ["rtr-bsl-1", "sw-zrh-1"]),
        ({"name__gt": "sw-zrh-2"}, ["sw-zrh-3"]),
        ({"name__gte": "sw-zrh-2"}, ["sw-zrh-2", "sw-zrh-3"]),
        ({"name__lt": "s"}, ["rtr-bsl-1"]),
        ({"name__lte": "rtr-bsl-1"}, ["rtr-bsl-1"]),
        ({"name__range": ("sw-zrh-1", "sw-zrh-2")}, ["sw-zrh-1", "sw-zrh-2"]),
        ({"asset_tag__isnull": True}, ["rtr-bsl-1", "sw-zrh-3"]),
        ({"asset_tag": None}, ["rtr-bsl-1", "sw-zrh-3"]),
        ({"asset_tag__isnull": False}, ["sw-zrh-1", "sw-zrh-2"]),
        ({"site__slug": "basel"}, ["rtr-bsl-1"]),
        ({"site__name__icontains": "ZÜRICH"}, ["sw-zrh-1", "sw-zrh-2", "sw-zrh-3"]),
        ({"device_type__manufacturer__slug": "juniper"}, ["rtr-bsl-1"]),
        (
            {"device_type__manufacturer__slug__in": ["juniper", "cisco"], "status__slug": "planned"},
            ["sw-zrh-3"],
        ),
        ({"site__status__slug": "planned"}, ["rtr-bsl-1"]),
    ]:
        assert names(Device.objects.filter(**lookups)) == found, lookups


def test_filter_takes_objects_keys_and_queries_for_relations(network):
    zurich = ["sw-zrh-1", "sw-zrh-2", "sw-zrh-3"]
    assert names(Device.objects.filter(site=network.zurich)) == zurich
    assert names(Device.objects.filter(site=network.zurich.pk)) == zurich
    assert names(Device.objects.filter(site=str(network.zurich.pk))) == zurich
    assert names(Device.objects.filter(site_id=network.zurich.pk)) == zurich
    assert names(Device.objects.filter(site__pk=network.zurich.pk)) == zurich
    assert names(Device.objects.filter(site__in=[network.zurich])) == zurich
    assert names(Device.objects.filter(site__in=Site.objects.filter(name__startswith="Z"))) == zurich
    assert names(Device.objects.filter(name__in=Device.objects.values_list("name", flat=True)[:1])) == [
        "rtr-bsl-1"
    ]
    assert names(Device.objects.filter(site__in=Site.objects.none())) == []


def test_exclude_keeps_what_is_unknown(network):
    assert names(Device.objects.exclude(asset_tag="A1")) == ["rtr-bsl-1", "sw-zrh-2", "sw-zrh-3"]
    assert names(Device.objects.exclude(site=network.zurich)) == ["rtr-bsl-1"]
    assert names(Device.objects.exclude(site=network.zurich, status=network.planned)) == [
        "rtr-bsl-1",
        "sw-zrh-1",
        "sw-zrh-2",
    ]


def test_isnull_reaches_through_what_is_not_there(network):
    device = Device.objects.get(name="sw-zrh-1")
    free = ConsolePort.objects.create(device=device, name="con0")
    plugged = ConsolePort.objects.create(device=device, name="con1", connected_endpoint=device)
    assert list(ConsolePort.objects.filter(connected_endpoint__isnull=True)) == [free]
    assert list(ConsolePort.objects.filter(connected_endpoint__asset_tag__isnull=True)) == [free]
    assert list(ConsolePort.objects.filter(connected_endpoint__asset_tag__isnull=False)) == [plugged]
    assert list(ConsolePort.objects.exclude(connected_endpoint__name="sw-zrh-1")) == [free]


def test_order_by_fields_of_other_models_and_backwards():
    assert names(Device.objects.order_by("-name"))[0] == "sw-zrh-3"
    assert names(Device.objects.order_by("site__name", "-name")) == [
        "rtr-bsl-1",
        "sw-zrh-3",
        "sw-zrh-2",
        "sw-zrh-1",
    ]
    assert names(Device.objects.order_by("name").reverse())[0] == "sw-zrh-3"


def test_first_last_exists_and_count():
    assert Device.objects.first().name == "rtr-bsl-1"
    assert Device.objects.last().name == "sw-zrh-3"
    assert Device.objects.none().first() is None
    assert Device.objects.count() == 4
    assert Device.objects.filter(name="nothing").count() == 0
    assert Device.objects.filter(name="sw-zrh-1").exists()
    assert not Device.objects.none().exists()


def test_values_come_as_tuples_plain_or_dicts():
    devices = Device.objects.filter(name="sw-zrh-1")
    assert list(devices.values_list("name", "site__name", "device_type__manufacturer__name")) == [
        ("sw-zrh-1", "Zürich HQ", "Cisco")
    ]
    assert list(devices.values_list("pk", flat=True)) == [devices.get().pk]
    assert list(devices.values("name", "site")) == [{"name": "sw-zrh-1", "site": devices.get().site_id}]
    assert list(Device.objects.values_list("site__name", flat=True).distinct()) in (
        ["Basel", "Zürich HQ"],
        ["Zürich HQ", "Basel"],
    )
    assert Device.objects.values_list("site__name", flat=True).distinct().count() == 2
    with pytest.raises(TypeError):
        devices.values_list("pk", "name", flat=True)


def test_slices_are_asked_of_the_database():
    devices = Device.objects.all()
    assert names(devices[1:3]) == ["sw-zrh-1", "sw-zrh-2"]
    assert names(devices[1:][1:2]) == ["sw-zrh-2"]
    assert names(devices[:3][2:9]) == ["sw-zrh-2"]
    assert devices[0].name == "rtr-bsl-1"
    assert devices[1:3].count() == 2
    assert devices[2:2].exists() is False
    with pytest.raises(IndexError):
        devices[4]
    with pytest.raises(ValueError, match="from its end"):
        devices[-1]
    with pytest.raises(TypeError, match="slice"):
        devices[:2].filter(name="x")


def test_a_query_asks_once_and_only_when_needed(run):
    asked = []

    @event.listens_for(run.get_bind(), "before_cursor_execute")
    def note(*arguments):
        asked.append(arguments[2])

    devices = Device.objects.filter(site__slug="zurich-hq").order_by("name").select_related("site__status")
    assert asked == []
    assert len(devices) == 3
    assert [device.site.status.slug for device in devices] == ["active"] * 3
    assert bool(devices)
    assert devices[0] in devices
    assert len(asked) == 1


def test_iterator_gives_all_in_order():
    assert names(Device.objects.order_by("-name").iterator(chunk_size=2)) == [
        "sw-zrh-3",
        "sw-zrh-2",
        "sw-zrh-1",
        "rtr-bsl-1",
    ]


def test_prefetch_related_is_accepted():
    assert [
        device.site.name for device in Device.objects.prefetch_related("site", "device_type__manufacturer")
    ]


def test_get_says_what_was_not_found_or_found_twice():
    with pytest.raises(Device.DoesNotExist, match="No Device fits name='x'"):
        Device.objects.get(name="x")
    with pytest.raises(Device.MultipleObjectsReturned, match="More than one Device"):
        Device.objects.get(site__slug="zurich-hq")
    assert issubclass(Device.DoesNotExist, DoesNotExist)
    assert issubclass(Device.MultipleObjectsReturned, MultipleObjectsReturned)
    assert not issubclass(Device.DoesNotExist, Site.DoesNotExist)


def test_unknown_names_are_refused_with_the_valid_ones():
    with pytest.raises(
        FieldError, match=r"Device has no field 'colour'. Its fields are: .*device_type.*site"
    ):
        Device.objects.filter(colour="red")
    with pytest.raises(FieldError, match="Site has no field 'town'"):
        Device.objects.filter(site__town="x")
    with pytest.raises(FieldError, match="'regex' is no lookup"):
        Device.objects.filter(name__regex="x")
    with pytest.raises(FieldError):
        Device.objects.order_by("colour")
    with pytest.raises(FieldError):
        Device.objects.values_list("site__town")
    with pytest.raises(FieldError, match="no relation"):
        Device.objects.select_related("name")


def test_values_that_cannot_be_are_refused():
    for lookups in [
        {"pk": "abc"},
        {"pk": 2**40},
        {"pk": "1_0"},
        {"pk": 1.5},
        {"site": "zurich"},
        {"name": "a\0b"},
        {"name__icontains": "\ud800"},
        {"name__in": "abc"},
        {"name__gt": None},
        {"name__range": (1,)},
        {"pk__isnull": "perhaps"},
    ]:
        with pytest.raises(BadValue):
            Device.objects.filter(**lookups)


def test_wildcards_in_values_are_only_characters():
    odd = Site.objects.create(name="100%_/x", slug="odd", status=Status.objects.get(slug="active"))
    assert list(Site.objects.filter(name__contains="%_/")) == [odd]
    assert list(Site.objects.filter(name__icontains="%")) == [odd]
    assert list(Site.objects.filter(name__startswith="1_0")) == []


def test_many_values_fit_one_query():
    assert Device.objects.filter(pk__in=range(1, 40_000)).count() == 4


def test_create_and_get_or_create(network):
    made, created = Manufacturer.objects.get_or_create(slug="apc", defaults={"name": "APC"})
    assert (created, made.name) == (True, "APC")
    assert Manufacturer.objects.get_or_create(slug="apc", defaults={"name": "other"}) == (made, False)
    changed, created = Manufacturer.objects.update_or_create(slug="apc", defaults={"name": "APC by S"})
    assert (changed.name, created) == ("APC by S", False)
    assert DeviceType.objects.create(manufacturer=made, model="X", slug="x").u_height == 1


def test_update_changes_all_at_once(network):
    assert Device.objects.filter(site=network.zurich).update(status=network.planned, serial="S") == 3
    assert Device.objects.filter(status=network.planned, serial="S").count() == 3
    assert Device.objects.get(name="sw-zrh-1").serial == "S"


def test_delete_takes_what_belongs_along_and_refuses_what_others_need(network):
    device = Device.objects.get(name="sw-zrh-1")
    ConsolePort.objects.create(device=device, name="con0")
    assert Device.objects.filter(name="sw-zrh-1").delete() == (1, {"Device": 1})
    assert ConsolePort.objects.count() == 0
    with pytest.raises(ProtectedError, match="Zürich HQ cannot be deleted"):
        network.zurich.delete()
    assert Device.objects.count() == 3, "what the run did before is kept"


def test_without_a_run_there_is_a_clear_error(run):
    errors = []

    def in_a_thread():
        try:
            Device.objects.count()
        except NoSession as error:
            errors.append(str(error))

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert "only be used while a job runs" in errors[0]
