"""Whatever comes in through a form or the API ends in an object or in a sentence, never in a crash.

FUZZ=3000 in the environment tries harder.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.objects import LookupFailed, ObjectLookup, SearchRefused, search

DEVICE = "inventory.device"

#: Fields, parameters and lookups that there are, and some words that are something else.
WORDS = [
    *("pk", "id", "name", "site", "site_id", "status", "slug", "asset_tag", "device_type", "manufacturer"),
    *("exact", "in", "isnull", "range", "gt", "icontains", "contains", "iexact", "n", "ic", "nic", "lt"),
    *("role", "model", "metadata", "objects", ""),
]

texts = st.text(max_size=20) | st.sampled_from(["null", "1", "active", "'", "%", "\0", "\udcff", "x" * 6000])
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
words = st.sampled_from(WORDS) | st.text(max_size=20)
names = st.lists(words, min_size=1, max_size=3).map("__".join)
parameters = st.dictionaries(names, values, max_size=2)

many = settings(
    max_examples=int(os.environ.get("FUZZ", "60")),
    deadline=None,
    # The network is made once for all examples: none of them changes it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)


def test_any_value_of_an_object_variable_is_an_object_or_refused(run, network):
    lookup = ObjectLookup(run)

    @many
    @given(value=values | parameters, params=parameters)
    def check(value, params):
        refusal = ""
        try:
            assert isinstance(lookup.find(DEVICE, value, params), int)
        except LookupFailed as error:
            refusal = str(error)
        assert len(refusal) < 1000

    check()


def test_any_search_is_a_page_or_refused(run, network):
    @many
    @given(q=texts, params=parameters, after=st.none() | texts)
    def check(q, params, after):
        refusal = ""
        try:
            search(run, DEVICE, q, params, after=after)
        except SearchRefused as error:
            refusal = str(error)
        assert len(refusal) < 1000

    check()
