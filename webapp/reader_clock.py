"""The clock of whoever reads a page: their browser says its time zone in a cookie; else it is UTC, as pages show times."""

from zoneinfo import ZoneInfo

from flask import request

from store.timing.zones import BadZone, zone_named

#: Written by static/errand.js, the first of them behind TLS.
COOKIES = ("__Host-zone", "zone")
LONGEST_ZONE = 64


def reader_zone() -> ZoneInfo:
    named = next((request.cookies[name] for name in COOKIES if name in request.cookies), "")
    if 0 < len(named) <= LONGEST_ZONE:
        try:
            return zone_named(named)
        except BadZone:
            pass
    return ZoneInfo("UTC")
