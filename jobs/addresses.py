"""Inputs that are addresses of a network. The job gets values of netaddr."""

from typing import Any, ClassVar

from jobs.errors import BadJob, InvalidValue
from jobs.values import is_integer, shortened, text_of
from jobs.variables import Objects, Variable

MASK_REQUIRED = "CIDR mask (e.g. /24) is required."


class _OfVersion(Variable):
    """What the inputs here have in common: `version`, and that their value is stored as text."""

    options: ClassVar[tuple[str, ...]] = ("version",)

    def __init__(self, *common: Any, version: int | None = None, **named: Any) -> None:
        super().__init__(*common, **named)
        self.version = version

    def check(self) -> None:
        if self.version not in (None, 4, 6):
            raise BadJob(f"version of {self.name} must be 4 or 6.")

    def plain(self, value: Any) -> Any:
        return None if value is None else str(value)


class IPAddressVar(_OfVersion):
    """An IPv4 or IPv6 address without a mask. The job gets a `netaddr.IPAddress`.

    version: 4 or 6, where only one of them will do
    """

    def parse(self, raw: Any) -> str:
        return str(_of_version(_address(text_of(raw).strip()), self.version))

    def restore(self, value: Any, objects: Objects) -> Any:
        from netaddr import IPAddress

        return None if value is None else IPAddress(value)


class IPAddressWithMaskVar(_OfVersion):
    """An address with its mask, such as 10.0.0.1/24. The job gets a `netaddr.IPNetwork`, which keeps the address.

    version: 4 or 6, where only one of them will do
    """

    def parse(self, raw: Any) -> str:
        network = _of_version(_network(text_of(raw).strip()), self.version)
        return str(self.check_network(network))

    def check_network(self, network: Any) -> Any:
        return network

    def restore(self, value: Any, objects: Objects) -> Any:
        from netaddr import IPNetwork

        return None if value is None else IPNetwork(value)


class IPNetworkVar(IPAddressWithMaskVar):
    """A network, such as 10.0.0.0/24. The job gets a `netaddr.IPNetwork`."""

    options: ClassVar[tuple[str, ...]] = ("min_prefix_length", "max_prefix_length", "version")

    def __init__(
        self,
        min_prefix_length: int | None = None,
        max_prefix_length: int | None = None,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(*common, **named)
        self.min_prefix_length = min_prefix_length
        self.max_prefix_length = max_prefix_length

    def check(self) -> None:
        super().check()
        for option in ("min_prefix_length", "max_prefix_length"):
            length = getattr(self, option)
            if length is not None and not (is_integer(length) and 0 <= length <= 128):
                raise BadJob(f"{option} of {self.name} must be a whole number from 0 to 128.")

    def check_network(self, network: Any) -> Any:
        if network.ip != network.cidr.ip:
            raise InvalidValue(f"{network} is not a valid prefix. Did you mean {network.cidr}?")
        least, most = self.min_prefix_length, self.max_prefix_length
        if least is not None and network.prefixlen < least:
            raise InvalidValue(f"The prefix length must be greater than or equal to {least}.")
        if most is not None and network.prefixlen > most:
            raise InvalidValue(f"The prefix length must be less than or equal to {most}.")
        return network


def _of_version(found: Any, version: int | None) -> Any:
    if version is not None and found.version != version:
        raise InvalidValue(f"Enter one of IPv{version}: {found} is IPv{found.version}.")
    return found


def _address(text: str) -> Any:
    from netaddr import INET_PTON, AddrFormatError, IPAddress

    try:
        # Strictly: other ways to read "1.2.3" find addresses that nobody meant.
        return IPAddress(text, flags=INET_PTON)
    except (AddrFormatError, ValueError, TypeError) as error:
        raise InvalidValue(f"Invalid IPv4/IPv6 address format: {shortened(text)}") from error


def _network(text: str) -> Any:
    from netaddr import AddrFormatError, IPNetwork

    address, slash, mask = text.partition("/")
    if not slash or not mask.strip():
        _address(text.rstrip("/ "))
        raise InvalidValue(MASK_REQUIRED)
    _address(address.strip())
    try:
        return IPNetwork(f"{address.strip()}/{mask.strip()}")
    except (AddrFormatError, ValueError, TypeError) as error:
        raise InvalidValue(f"Invalid CIDR mask: /{shortened(mask.strip())}") from error
