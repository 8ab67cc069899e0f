"""Who asks: the address that stands for a client, and what a proxy that is trusted says of it."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from retrieval.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Whoever has an address of IPv6 has as many as they like below the same 64 bits.
IPV6_BITS = 64
_PREFIX = re.compile(r"(/[\w.~-]+)+")
# Of a sender that is not trusted they say nothing, to nobody.
FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_BY",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
)


def client_of(address: str | None) -> str:
    """What stands for a client where clients are counted: an address, of IPv6 its network."""
    text = (address or "").strip().strip("[]").partition("%")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text[:100] or "unknown"  # an empty one would not be counted at all
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_BITS), strict=False))


class Proxies:
    """The proxies that are trusted: an address, a network such as `10.0.0.0/8`, `*`, or none."""

    def __init__(self, text: str | None) -> None:
        """Raises SettingsError where the text is none of those: it would never match."""
        self._all = text == "*"
        self._networks: list[Network] = []
        for part in [] if text is None or self._all else text.split(","):
            try:
                self._networks.append(ipaddress.ip_network(part.strip().strip("[]"), strict=False))
            except ValueError:
                raise SettingsError(
                    f"trusted proxy {part.strip()!r} is no address; give it as 127.0.0.1, ::1, "
                    "10.0.0.0/8, or *"
                ) from None

    def __contains__(self, address: object) -> bool:
        if self._all:
            return True
        try:
            parsed = ipaddress.ip_address(str(address).partition("%")[0])
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


class BehindProxies:
    """A WSGI application told who asks, by which scheme, host and below which path, by proxies
    that are trusted alone."""

    def __init__(self, app: Any, proxies: Proxies) -> None:
        self._app = app
        self._behind = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        self._proxies = proxies

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("REMOTE_ADDR") not in self._proxies:
            for name in FORWARDED:
                environ.pop(name, None)
            return self._app(environ, start_response)
        # Many a proxy passes on what a client sent: `//elsewhere.example` would lead out of here.
        prefix = environ.pop("HTTP_X_FORWARDED_PREFIX", "").rpartition(",")[2].strip().rstrip("/")
        if _PREFIX.fullmatch(prefix):
            environ["HTTP_X_FORWARDED_PREFIX"] = prefix
        return self._behind(environ, start_response)
