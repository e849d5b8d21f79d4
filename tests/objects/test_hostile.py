"""Whatever comes in through a form or the API ends in an object or in a sentence, never in a crash."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.objects import LookupFailed, ObjectLookup, SearchRefused, search

DEVICE = "inventory.device"

texts = st.text(max_size=20) | st.sampled_from(
    ["null", "", "1", "active", "'", "%", "\0", "\udcff", "x" * 60_000]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
names = st.builds(
    "__".join,
    st.lists(
        st.sampled_from(
            "pk id name site site_id status slug asset_tag device_type manufacturer role model in isnull "
            "range gt icontains contains iexact n ic nic lt metadata objects".split()
        )
        | texts.filter(lambda text: len(text) < 50),
        min_size=1,
        max_size=3,
    ),
)

# The fixtures hold for all examples: none of them changes anything.
many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


def test_any_value_of_an_object_variable_is_an_object_or_refused(run, network):
    lookup = ObjectLookup(run)

    @many
    @given(
        value=values | st.dictionaries(names, values, max_size=2),
        params=st.dictionaries(names, values, max_size=2),
    )
    def check(value, params):
        try:
            assert isinstance(lookup.find(DEVICE, value, params), int)
        except LookupFailed as refusal:
            assert len(str(refusal)) < 1000

    check()


def test_any_search_is_a_page_or_refused(run, network):
    @many
    @given(q=texts, params=st.dictionaries(names, values, max_size=3), after=st.none() | texts)
    def check(q, params, after):
        try:
            search(run, DEVICE, q, params, after=after)
        except SearchRefused as refusal:
            assert len(str(refusal)) < 1000

    check()
