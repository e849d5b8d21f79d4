"""The inputs of a job as a form in code."""

from decimal import Decimal

from jobs import DecimalVar, IntegerVar, Job, ObjectVar, StringVar


class Orders(Job):
    """Orders something."""

    what = StringVar(min_length=2)
    count = IntegerVar(default=1, required=False)
    price = DecimalVar(required=False)
    site = ObjectVar(model="inventory.site", required=False)


def test_what_fits_is_valid_and_is_what_the_job_would_get():
    form = Orders().as_form({"what": " tea ", "count": "3", "price": "1.50"})
    assert form.is_valid()
    assert form.cleaned_data == {"what": "tea", "count": 3, "price": Decimal("1.50"), "site": None}
    assert list(form.fields) == ["what", "count", "price", "site"]


def test_what_does_not_fit_has_its_messages():
    form = Orders.as_form({"what": "x", "count": "many", "site": "1", "other": 1})
    assert not form.is_valid()
    assert set(form.errors) == {"what", "count", "site", "other"}
    assert form.errors["count"] == ["Enter a whole number."]
    assert form.cleaned_data == {}


def test_a_form_that_nobody_filled_in_is_not_valid_and_not_wrong():
    form = Orders.as_form(initial={"what": "tea"})
    assert (form.is_valid(), form.errors, form.initial) == (False, {}, {"what": "tea"})


def test_a_class_knows_its_path_in_both_ways_of_writing():
    class Loaded(Orders):
        class_path = "local/orders/Loaded"

    assert (Loaded.class_path_dotted, Loaded().class_path_dotted) == ("local.orders.Loaded",) * 2
