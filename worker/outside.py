"""Posts to addresses that people typed in: never to a place inside, wherever a name leads, and never for long."""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from store.notice_settings import NoticeSettings

#: For one step: to connect, to send, to wait for the next part of the answer.
STEP_SECONDS = 10.0
#: For all of them. Some servers answer one byte at a time.
WHOLE_SECONDS = 30.0

MOST_ANSWER_BYTES = 4_096
LONGEST_URL = 2_000

#: In these IPv6 addresses stands one of IPv4, to which the way leads.
_HOLDING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadAddress(ValueError):
    """An address that nothing is sent to, as a sentence."""


class NoAnswer(Exception):
    """It could not be reached, or took too long, as a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    #: For how many seconds it wants to be left alone.
    retry_after: int = 0


def check_url(url: str, settings: NoticeSettings) -> SplitResult:
    """Return the parts of an address that may be posted to, as far as can be told without looking its host up.

    Raises BadAddress.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or parts.scheme not in ("https", "http") or len(url) > LONGEST_URL:
        raise BadAddress("Enter an address that begins with https://.")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadAddress("Use only plain characters, and %20 and the like for others.")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("Leave out the name and password before the host.")
    if parts.scheme == "http" and not _is_open(host, settings):
        raise BadAddress("Plain http:// is only for hosts in ERRAND_WEBHOOK_HOSTS. Use https://.")
    literal = literal_of(host)
    if literal is not None and not _may_reach(literal, settings):
        raise BadAddress(_inside(host))
    return parts


def check_mail_host(host: str, settings: NoticeSettings) -> None:
    """Raise BadAddress for a mail server that is inside by its very address, and not the portal's own."""
    literal = literal_of(host)
    own = settings.mail is not None and settings.mail.host == host
    if not own and literal is not None and not _may_reach(literal, settings):
        raise BadAddress(_inside(host))


def post(url: str, body: bytes, headers: Mapping[str, str], settings: NoticeSettings) -> Answer:
    """Send it to the very address that was checked, and follow no redirect. Raises BadAddress, NoAnswer."""
    parts = check_url(url, settings)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = resolve(host, port, settings)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    connection = _Pinned(host, port, address, context)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with within(WHOLE_SECONDS, connection.hang_up) as late:
            return _asked(connection, target, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(_no_answer(host, error, late=late.is_set())) from error
    finally:
        connection.close()


@contextmanager
def within(seconds: float, hang_up: Callable[[], None]) -> Iterator[threading.Event]:
    """Hang up after so many seconds, whatever the other side does; the event tells of it."""
    late = threading.Event()

    def over() -> None:
        late.set()
        hang_up()

    timer = threading.Timer(seconds, over)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def shut(connection: socket.socket | None) -> None:
    """Wake up whoever waits for this connection, which is closed for them."""
    if connection is not None:
        try:
            # Past TLS: that would want to say good-bye, and the other side is the one that does not answer.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            pass


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was looked up before, and speaks to the host of that name."""

    def __init__(self, host: str, port: int, address: Address, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=STEP_SECONDS)
        self.default_port = 443 if context else 80
        self._address, self._context = str(address), context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), STEP_SECONDS)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def hang_up(self) -> None:
        shut(self.sock)


def _asked(connection: _Pinned, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection.request("POST", target, body, {"User-Agent": "Errand", **headers})
    answer = connection.getresponse()
    text = answer.read(MOST_ANSWER_BYTES).decode("utf-8", "replace")
    given = answer.headers.get("Retry-After", "")
    return Answer(answer.status, text, int(given) if given.isdecimal() and len(given) < 6 else 0)


def resolve(host: str, port: int, settings: NoticeSettings) -> Address:
    """Return where a host is, if something may be sent there. Raises BadAddress, NoAnswer."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"{host} could not be looked up.") from error
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses:
        raise NoAnswer(f"{host} could not be looked up.")
    # Each of them: which of several is tried is not for the name's owner to choose.
    if host.lower().rstrip(".") not in settings.open_names and not all(
        _may_reach(each, settings) for each in addresses
    ):
        raise BadAddress(_inside(host))
    return addresses[0]


def _may_reach(address: Address, settings: NoticeSettings) -> bool:
    if any(address.version == network.version and address in network for network in settings.open_networks):
        return True
    inner = inner_of(address)
    if inner is not None:
        return _may_reach(inner, settings)
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def inner_of(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 one stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if any(address in network for network in _HOLDING) and not (
        address.is_loopback or address.is_unspecified
    ):
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def literal_of(host: str) -> Address | None:
    """Return the address that a host is, where it is no name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_open(host: str, settings: NoticeSettings) -> bool:
    literal = literal_of(host)
    if literal is not None:
        return any(literal.version == each.version and literal in each for each in settings.open_networks)
    # Where a name leads is looked at when something is sent; a network may be all that opens it.
    return host.lower().rstrip(".") in settings.open_names


def _inside(host: str) -> str:
    return (
        f"{host} is not on the open internet. Whoever runs the portal can allow it with ERRAND_WEBHOOK_HOSTS."
    )


def _no_answer(host: str, error: Exception, *, late: bool) -> str:
    if late or isinstance(error, TimeoutError):
        return f"{host} did not answer in time."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {host} is not to be trusted: {error.verify_message}."
    if isinstance(error, http.client.HTTPException):
        return f"{host} did not answer as a web server does."
    return f"{host} could not be reached: {getattr(error, 'strerror', None) or type(error).__name__}."
