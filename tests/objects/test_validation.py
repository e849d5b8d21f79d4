"""`validated_save` says what is wrong, field by field, before anything is written."""

import pytest

from examples.inventory.models import Device, DeviceType, Manufacturer, Site
from store.objects import ValidationError


def problems(obj):
    with pytest.raises(ValidationError) as refusal:
        obj.validated_save()
    return refusal.value.errors


def test_required_fields_must_be_filled_in(network):
    assert problems(Site()) == {
        "name": ["Name is required."],
        "slug": ["Slug is required."],
        "status": ["Status is required."],
    }
    assert problems(Site(name="  ", slug="x", status=network.active)) == {"name": ["Name is required."]}


def test_texts_must_fit(network):
    site = Site(name="x" * 101, slug="x", status=network.active)
    assert problems(site) == {"name": ["Name has 101 characters; at most 100 fit."]}


def test_values_must_be_of_the_kind_of_the_field(network):
    kind = DeviceType(manufacturer=network.cisco, model="X", slug="x", u_height="two")
    assert problems(kind) == {"u_height": ["U height: 'two' cannot be a value of 'u_height'."]}
    assert problems(Manufacturer(name="a\0b", slug="ab")) == {
        "name": ["Name: 'a\\x00b' cannot be a value of 'name'."]
    }


def test_unique_fields_must_be_free_alone_and_together(network):
    assert problems(Site(name="Basel", slug="basel", status=network.active)) == {
        "name": ["A site with the name Basel exists already."],
        "slug": ["A site with the slug basel exists already."],
    }
    fields = {"device_type": network.switch, "device_role": network.access, "status": network.active}
    assert problems(Device(name="sw-zrh-1", site=network.zurich, **fields)) == {
        "__all__": ["A device with the site Zürich HQ and name sw-zrh-1 exists already."]
    }
    Device(name="sw-zrh-1", site=network.basel, **fields).validated_save()
    assert Device.objects.filter(name="sw-zrh-1").count() == 2


def test_an_object_does_not_collide_with_itself_and_nulls_never_do(network):
    network.basel.facility = "BSL1"
    network.basel.validated_save()
    assert Site.objects.get(facility="BSL1") == network.basel
    device = Device.objects.get(name="sw-zrh-3")
    device.asset_tag = None
    device.validated_save()


def test_a_key_that_was_changed_counts_as_much_as_an_object(network):
    device = Device.objects.select_related("site").get(name="sw-zrh-1")
    device.site_id = network.basel.pk
    device.validated_save()
    assert Device.objects.filter(site=network.basel).count() == 2
    device.site = None
    assert problems(device) == {"site": ["Site is required."]}


def test_other_objects_must_be_saved_first(network):
    kind = DeviceType(manufacturer=Manufacturer(name="New", slug="new"), model="X", slug="x")
    assert problems(kind) == {"manufacturer": ["Manufacturer: New is not saved yet; save it first."]}


def test_a_models_own_rules_are_asked_too(network):
    site = Site(name="New", slug="New Site", status=network.active)
    assert problems(site) == {"slug": ["Slug may hold letters, digits and hyphens: new-site."]}


def test_what_only_the_database_refuses_is_said_and_spoils_nothing(network, monkeypatch):
    monkeypatch.setattr(Manufacturer, "full_clean", lambda self: None)
    refused = problems(Manufacturer(name="Cisco", slug="other"))
    assert refused["__all__"][0].startswith("The database refused Cisco: ")
    assert Manufacturer.objects.count() == 2


def test_a_refused_object_is_not_written(network):
    problems(Site(name="Basel", slug="new", status=network.active))
    assert Site.objects.count() == 2


def test_an_unknown_field_is_refused_at_once():
    with pytest.raises(TypeError, match="Site has no field 'colour'"):
        Site(colour="red")


def test_errors_read_as_sentences():
    error = ValidationError({"name": ["Name is required."], "slug": ["Slug is required."]})
    assert str(error) == "Name is required. Slug is required."
    assert ValidationError("No.").errors == {"__all__": ["No."]}


def test_errors_may_be_written_as_django_has_them():
    assert ValidationError(["One.", "Two."]).messages == ["One.", "Two."]
    assert ValidationError({"name": "Taken."}).errors == {"name": ["Taken."]}
    filled = ValidationError("%(name)s is taken.", code="unique", params={"name": "Bern"})
    assert (filled.messages, filled.code) == (["Bern is taken."], "unique")
