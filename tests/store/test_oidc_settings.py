"""Settings of single sign-on: all or nothing, and nothing of it for jobs."""

import pytest

from store.settings import SettingsError, environment_of_jobs, load_settings

COMPLETE = {
    "ERRAND_OIDC_ISSUER": "https://id.example.com/realms/ours/",
    "ERRAND_OIDC_CLIENT_ID": "errand",
    "ERRAND_OIDC_CLIENT_SECRET": "hush-hush-secret",
}


def test_settings_have_defaults_and_hide_the_secret(tmp_path):
    settings = load_settings(tmp_path, COMPLETE)
    oidc = settings.oidc
    assert oidc is not None
    assert (oidc.issuer, oidc.name) == ("https://id.example.com/realms/ours", "single sign-on")
    assert (oidc.username_claim, oidc.groups_claim) == ("preferred_username", "groups")
    assert (oidc.scopes, oidc.create) == ("openid profile email", True)
    assert (oidc.group_map, oidc.admins, settings.passwords) == ((), frozenset(), True)
    assert "hush" not in repr(settings)
    assert load_settings(tmp_path, {}).oidc is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ERRAND_OIDC_CLIENT_SECRET": ""}, "single sign-on needs ERRAND_OIDC_CLIENT_SECRET, too"),
        ({"ERRAND_OIDC_ISSUER": " "}, "single sign-on needs ERRAND_OIDC_ISSUER, too"),
        ({"ERRAND_OIDC_ISSUER": "http://id.example.com"}, "is not the address of a provider"),
        ({"ERRAND_OIDC_ISSUER": "http://localhost.example.com"}, "is not the address of a provider"),
        ({"ERRAND_OIDC_ISSUER": "id.example.com"}, "is not the address of a provider"),
        ({"ERRAND_OIDC_ISSUER": "https://id.example.com:x"}, "is not the address of a provider"),
        ({"ERRAND_OIDC_ISSUER": "https://id.example.com/?x"}, "is not the address of a provider"),
        ({"ERRAND_OIDC_ISSUER": f"https://id.example.com/{'x' * 300}"}, "longer than 255"),
        ({"ERRAND_OIDC_SCOPES": "profile email"}, "has to name openid"),
        ({"ERRAND_OIDC_GROUP_MAP": "a=B, c"}, "ERRAND_OIDC_GROUP_MAP has 'c'"),
        ({"ERRAND_OIDC_GROUP_MAP": "=B"}, "ERRAND_OIDC_GROUP_MAP has '=B'"),
        ({"ERRAND_OIDC_CREATE": "maybe"}, "ERRAND_OIDC_CREATE is 'maybe'; write 1 or 0"),
        ({"ERRAND_PASSWORDS": "maybe"}, "ERRAND_PASSWORDS is 'maybe'; write 1 or 0"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_told(tmp_path, changed, said):
    with pytest.raises(SettingsError, match=said) as error:
        load_settings(tmp_path, {**COMPLETE, **changed})
    assert "hush" not in str(error.value)


def test_passwords_stay_where_there_is_nothing_else_to_sign_in_with(tmp_path):
    with pytest.raises(SettingsError, match="ERRAND_PASSWORDS=0 leaves single sign-on alone"):
        load_settings(tmp_path, {"ERRAND_PASSWORDS": "0"})
    assert not load_settings(tmp_path, {**COMPLETE, "ERRAND_PASSWORDS": "0"}).passwords


def test_jobs_get_none_of_it(monkeypatch):
    for name, value in {**COMPLETE, "ERRAND_PASSWORDS": "1", "ERRAND_OIDC_ADMINS": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UNRELATED", "x")
    monkeypatch.setenv("ERRAND_TOKEN", "errand_x")
    given = environment_of_jobs()
    assert "ERRAND_TOKEN" not in given
    assert "UNRELATED" in given
    assert [name for name in given if "OIDC" in name or "PASSWORDS" in name] == []
