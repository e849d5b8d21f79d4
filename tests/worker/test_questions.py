"""Computed choices and defaults, and `validate`, on their way through the one door."""

from collections.abc import Iterator

import pytest

from examples.inventory.models import Site, Status
from jobs.errors import InvalidData
from store.data import Data
from store.models import JobResult
from store.settings import Settings
from tests.worker.conftest import Portal
from worker import helper
from worker.lookups import object_lookup
from worker.questions import Questions

pytestmark = pytest.mark.in_turn


@pytest.fixture(scope="module", autouse=True)
def helpers_end() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helper, "READY_SECONDS", 60.0)
        yield
    helper.stop()


@pytest.fixture
def sites(live: Settings) -> dict[str, str]:
    data = Data(live.data_database_url)
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        active = Status(name="Active", slug="active")
        active.save()
        keys = {}
        for name in ("Bern", "Zug"):
            site = Site(name=name, slug=name.lower(), status=active)
            site.save()
            keys[name] = str(site.pk)
        session.commit()
    data.dispose()
    return keys


def refused(portal: Portal, job: str, **raw: object) -> object:
    with pytest.raises(InvalidData) as refusal:
        portal.submit(job, raw=raw)
    with portal.platform.reading() as db:
        assert db.query(JobResult).count() == 0, "nothing is stored"
    return refusal.value.errors


def test_discovery_notes_what_is_computed(portal: Portal):
    computed = {variable["name"]: variable.get("computed") for variable in portal.jobs["Asks"].variables}
    assert "choices" in computed["size"]
    assert "default" in computed["count"]
    assert portal.jobs["Asks"].has_validate
    assert not portal.jobs["Passes"].has_validate
    assert not portal.jobs["ValidatesByItself"].has_validate


def test_what_json_leaves_out_takes_its_computed_default(portal: Portal, sites: dict[str, str]):
    result = portal.run("Asks")
    assert (result.status, result.return_value) == ("completed", ["l", 3, "Bern"])


def test_a_value_is_checked_against_computed_choices(portal: Portal, sites: dict[str, str]):
    errors = refused(portal, "Asks", size="m", colours=["asks", "blue"], tag="t-1")
    assert set(errors) == {"size", "colours"}


def test_validate_refuses_beside_its_variable_or_as_a_whole(portal: Portal, sites: dict[str, str]):
    assert refused(portal, "Asks", count=6) == {"count": ["Five is enough."]}
    errors = refused(portal, "Asks", site=sites["Zug"], sites=list(sites.values()))
    assert "Zug and 2 others are too many." in str(errors)


def test_code_that_breaks_refuses_with_a_sentence_and_keeps_secrets(portal: Portal):
    assert "RuntimeError: no sesame" not in str(refused(portal, "RefusesSecretly", secret="no sesame"))
    assert "could not be" in str(refused(portal, "AskedTooMuch", size="x", count=1))


def test_who_shows_a_form_gets_computed_choices_and_defaults(portal: Portal, sites: dict[str, str]):
    asked = Questions(portal.settings, portal.jobs["Asks"])
    with object_lookup(portal.settings) as objects:
        described = {variable["name"]: variable for variable in asked.described(objects)}
    assert described["size"]["choices"][0] == ["s", "Small"]
    assert (described["count"]["default"], asked.problems) == (3, {})
