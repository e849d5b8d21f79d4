"""What the value of an ObjectVar names, or why it names nothing."""

import pytest

from examples.inventory.models import Device, DeviceType
from store.objects import LookupFailed, ObjectLookup

DEVICE, TYPE = "inventory.device", "inventory.devicetype"


@pytest.fixture
def lookup(run, network):
    return ObjectLookup(run)


def refusal(call, *arguments):
    with pytest.raises(LookupFailed) as refused:
        call(*arguments)
    assert isinstance(refused.value, ValueError | LookupError)
    return str(refused.value)


def test_an_object_is_named_by_its_key_or_by_lookups(lookup, network):
    assert lookup.find(TYPE, network.switch.pk) == network.switch.pk
    assert lookup.find(TYPE, str(network.switch.pk), {}) == network.switch.pk
    assert lookup.find(TYPE, {"model": "MX204"}) == network.router.pk
    assert (
        lookup.find(DEVICE, {"name": "sw-zrh-1", "site__slug": "zurich-hq"})
        == Device.objects.get(name="sw-zrh-1").pk
    )


def test_what_names_no_single_object_is_refused_in_a_sentence(lookup):
    assert refusal(lookup.find, TYPE, 99) == "There is no device type with the key 99."
    assert refusal(lookup.find, TYPE, "abc") == "There is no device type with the key abc."
    assert refusal(lookup.find, TYPE, 2**70).startswith("There is no device type with the key 1180")
    assert refusal(lookup.find, TYPE, True) == "True is no key of a device type."
    assert refusal(lookup.find, TYPE, [1]) == "[1] is no key of a device type."
    assert refusal(lookup.find, TYPE, {"model": "x"}) == "No device type fits model='x'."
    assert refusal(lookup.find, DEVICE, {"site__slug": "zurich-hq"}).startswith("More than one device fits")
    assert refusal(lookup.find, DEVICE, {"colour": "red"}).startswith("Device has no field 'colour'.")
    assert refusal(lookup.find, DEVICE, {"name": {"a": 1}}) == "{'a': 1} cannot be a value of 'name'."
    assert refusal(lookup.find, DEVICE, {}) == "Say which device is meant."
    assert refusal(lookup.find, "inventory.rack", 1).startswith("There is no model 'inventory.rack'.")
    assert len(refusal(lookup.find, DEVICE, "9" * 5000)) < 120
    assert len(refusal(lookup.find, DEVICE, {"name": "x" * 5000})) < 150


def test_an_object_must_fit_the_parameters_of_its_variable(lookup, network):
    assert lookup.find(TYPE, network.switch.pk, {"manufacturer_id": network.cisco.pk}) == network.switch.pk
    assert (
        lookup.find(TYPE, network.switch.pk, {"manufacturer_id": ["", None]}.fromkeys([]))
        == network.switch.pk
    )
    said = refusal(lookup.find, TYPE, network.switch.pk, {"manufacturer_id": network.juniper.pk})
    assert said == f"Catalyst 9300 does not fit manufacturer_id={network.juniper.pk}."
    assert refusal(lookup.find, TYPE, network.switch.pk, {"colour": "red"}).startswith(
        "'colour' is no filter"
    )


def test_many_objects_are_found_in_their_order_each_once(lookup, network):
    keys = [network.router.pk, network.switch.pk]
    assert lookup.find_many(TYPE, [*keys, str(keys[0]), {"model": "MX204"}]) == keys
    assert lookup.find_many(TYPE, []) == []
    assert refusal(lookup.find_many, TYPE, [keys[0], 99]) == "There is no device type with the key 99."
    assert refusal(lookup.find_many, TYPE, keys, {"manufacturer": "cisco"}).startswith("MX204 does not fit")


def test_a_run_gets_objects_and_queries(lookup, network):
    assert lookup.load(TYPE, network.switch.pk) is network.switch
    devices = lookup.load_many(DEVICE, list(Device.objects.values_list("pk", flat=True)))
    assert devices.count() == 4
    assert devices.filter(site__slug="basel").get().name == "rtr-bsl-1"
    assert len(devices.values_list("pk", flat=True)) == 4
    assert list(lookup.load_many(TYPE, [])) == []
    assert isinstance(lookup.load(TYPE, str(network.switch.pk)), DeviceType)


def test_an_object_deleted_meanwhile_is_said_to_be_gone(lookup, network):
    key = Device.objects.get(name="sw-zrh-1").pk
    Device.objects.filter(pk=key).delete()
    assert refusal(lookup.load, DEVICE, key) == f"There is no device with the key {key}."
    assert refusal(lookup.load_many, DEVICE, [key]) == f"There is no device with the key {key}."
