"""URLs as they may be shown."""

import pytest

from store.urls import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user:hunter2@host:6379/0", "redis://user:***@host:6379/0"),
        (
            "rediss://:hunter2@host/0?ssl_ca_certs=/etc/ca.pem",
            "rediss://:***@host/0?ssl_ca_certs=/etc/ca.pem",
        ),
        ("redis://host?username=u&password=hunter2&db=1", "redis://host?username=u&password=***&db=1"),
        ("unix://:hunter2@/run/my redis/r.sock", "unix://:***@/run/my redis/r.sock"),
        (
            "postgresql://u@h/d?sslmode=require&sslpassword=hunter2",
            "postgresql://u@h/d?sslmode=require&sslpassword=***",
        ),
        ("sqlite:////srv/errand.db", "sqlite:////srv/errand.db"),
        ("s3://key:hunter2@bucket/folder", "s3://key:***@bucket/folder"),
        # Passwords that nobody encoded: no part of them may stay.
        ("redis://u:hun/ter2@host", "redis://u:***@host"),
        ("redis://u:hun?ter2#@h@host", "redis://u:***@host"),
        ("hunter2", "***"),
        ("", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str):
    assert without_password(url) == shown
