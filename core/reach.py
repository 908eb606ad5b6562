"""Whom a request may reach: hosts that a person allowed, and public ones. Names and addresses are looked at, both.

A name is looked at before a request is made, the address where the connection is made, so that a name cannot lead
elsewhere in between. Through a proxy, which looks up names itself, only names can be looked at.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from core.errors import SourceError
from core.settings import Settings

CheckAddress = Callable[[str, int, str], None]
"""Raises if this host and port may not lead to this IP address."""

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_OF_THIS_NETWORK = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".corp", ".arpa")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*", re.ASCII)


@dataclass(frozen=True)
class AllowedHost:
    """A host that may be asked: its name in small letters (IPv6 without brackets); port None is any."""

    host: str
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether this is the host, and the port may be asked."""
        return host == self.host and self.port in (None, port)


def allowed_hosts(settings: Settings) -> tuple[AllowedHost, ...]:
    """The hosts of `settings.allowed_hosts`; `SourceError` for an entry that is none."""
    return tuple(_allowed(entry) for entry in re.split(r"[,\s]+", settings.allowed_hosts.strip()) if entry)


def as_host(said: str, *, is_ipv6: bool = False) -> str:
    """A host in the form that addresses are compared in, '' if it is none."""
    if is_ipv6:
        try:
            return str(ipaddress.IPv6Address(said))
        except ValueError:
            return ""
    return said if len(said) <= 253 and _HOST.fullmatch(said) else ""


def is_public_name(host: str) -> bool:
    """Whether this is the name of a host that others may know too: no address, and no name of this network."""
    last = host.rpartition(".")[2]
    # A last part that is a number, as in 127.1 or 0x7f.0.0.1, makes it an address to some.
    is_name = "." in host and ":" not in host and not last[:1].isdigit()
    return is_name and not f".{host}".endswith(_OF_THIS_NETWORK)


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet knows."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_global and not found.is_multicast and all(inner.is_global for inner in _inner(found))


def watched_pools(check: CheckAddress) -> dict[str, Any]:
    """What urllib3 makes its connections with, by scheme: only to addresses that `check` lets pass."""
    return {"http": partial(_Pool, check), "https": partial(_SecurePool, check)}


class _Watched(HTTPConnection):
    """A connection that is made only to an address that is let pass."""

    check_address: CheckAddress

    def _new_conn(self) -> socket.socket:
        # Looked up once here, so that a name of this network is not even connected to. The address that it really
        # became is looked at again: a name may lead elsewhere a moment later.
        for *_, found in _looked_up(self.host, self.port):
            self.check_address(self.host, self.port, str(found[0]))
        connected = super()._new_conn()
        try:
            self.check_address(self.host, self.port, str(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        return connected


class _WatchedSecure(_Watched, HTTPSConnection):
    """The same, encrypted."""


class _Pool(HTTPConnectionPool):
    def __init__(self, check: CheckAddress, *args: Any, **options: Any) -> None:
        self.ConnectionCls = type("_Watched", (_Watched,), {"check_address": staticmethod(check)})
        super().__init__(*args, **options)


class _SecurePool(HTTPSConnectionPool):
    def __init__(self, check: CheckAddress, *args: Any, **options: Any) -> None:
        self.ConnectionCls = type("_WatchedSecure", (_WatchedSecure,), {"check_address": staticmethod(check)})
        super().__init__(*args, **options)


def _looked_up(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:  # connecting will tell
        return []


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may stand for: written into it, or reached through a translator."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    translated = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None
    return [one for one in (address.ipv4_mapped, address.sixtofour, translated) if one]


def _allowed(entry: str) -> AllowedHost:
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?", entry.lower().rstrip("."), re.ASCII)
    host = as_host((found[1] or found[2]).rstrip("."), is_ipv6=bool(found[1])) if found else ""
    port = int(found[3]) if found and found[3] else None
    if not host or (port is not None and not 0 < port < 65_536):
        raise SourceError(
            f"GENRESCOPE_ALLOWED_HOSTS names what is no host: {entry[:100]}. Write host or host:port, an IPv6 address in "
            "brackets, commas between."
        )
    return AllowedHost(host, port)
