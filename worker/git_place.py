"""Where the server of a git repository is: looked up once, and kept to, for a name may lead elsewhere a moment later."""

import ipaddress
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from store.git_rules import host_of, scheme_of
from worker.outside import Address, inner_of, literal_of

PORTS = {"https": 443, "http": 80, "ssh": 22}

#: For one of several addresses to answer before the next one is tried.
PROBE_SECONDS = 5.0

#: What git takes for the address of a proxy.
_PROXIES = {"https": ("HTTPS_PROXY", "https_proxy"), "http": ("http_proxy",)}


@dataclass(frozen=True, slots=True)
class Place:
    scheme: str
    host: str
    port: int
    #: Where the name led when it was looked up; empty: nowhere.
    addresses: tuple[Address, ...]

    @property
    def of_this_machine(self) -> bool:
        found = [inner_of(address) or address for address in self.addresses]
        return any(each.is_loopback or each.is_link_local or each.is_unspecified for each in found)

    @property
    def lost(self) -> bool:
        """Whether nobody can say where it is. Through a proxy, that is for the proxy to know."""
        return bool(self.host) and not self.addresses and not self._by_proxy

    @property
    def http_options(self) -> list[str]:
        """Settings of git that have it go to the addresses that were looked up. Before git 2.37 there are none."""
        if not self._is_name or self.scheme not in ("https", "http"):
            return []
        shown = (f"[{each}]" if each.version == 6 else str(each) for each in self.addresses)
        return [f"http.curloptResolve={self.host}:{self.port}:{','.join(shown)}"]

    def ssh_options(self) -> dict[str, str]:
        """Return options that have ssh go to an address that was looked up, and expect the keys of the name there."""
        if not self._is_name or self.scheme != "ssh":
            return {}
        known_as = self.host if self.port == PORTS["ssh"] else f"[{self.host}]:{self.port}"
        return {"HostName": str(self._first_that_answers()), "HostKeyAlias": known_as}

    @property
    def _is_name(self) -> bool:
        return bool(self.addresses) and literal_of(self.host) is None

    @property
    def _by_proxy(self) -> bool:
        set_up = any(os.environ.get(name) for name in _PROXIES.get(self.scheme, ()))
        return set_up and not proxy_bypass(self.host)

    def _first_that_answers(self) -> Address:
        """Return one address, for ssh takes no more: the others are there for when the first is out of reach."""
        for address in self.addresses if len(self.addresses) > 1 else ():
            with suppress(OSError), socket.create_connection((str(address), self.port), PROBE_SECONDS):
                return address
        return self.addresses[0]


def look_up(url: str) -> Place:
    """Look the server of this address up, which has been found to be one (see store.git_rules)."""
    scheme, host = scheme_of(url), host_of(url).lower()
    port = (urlsplit(url).port if "://" in url else None) or PORTS.get(scheme, 0)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError):
        found = []
    addresses = (ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found)
    return Place(scheme, host, port, tuple(dict.fromkeys(addresses)))
