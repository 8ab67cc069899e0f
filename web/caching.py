"""What a browser has already is not sent again, whoever squeezed it on the way."""

from __future__ import annotations

import hashlib
import re

from flask import Response, request

# A page tells how long its search took; it is no other page for that.
_TOOK = re.compile(rb'<p class="took">[^<]*</p>')
# What compresses an answer marks its version so, here or in a proxy.
_SQUEEZED = re.compile(r"[:-](br|gzip|zstd|deflate)$")


def name_version(response: Response) -> Response:
    """Gives a page a version: two answers of one version show the same."""
    page = request.method in ("GET", "HEAD") and response.mimetype == "text/html"
    if page and response.status_code == 200 and not response.is_streamed:
        if not response.get_etag()[0]:
            shown = _TOOK.sub(b"", response.get_data())
            response.set_etag(hashlib.sha256(shown).hexdigest()[:32], weak=True)
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


def send_no_version_twice(response: Response) -> Response:
    """Answers 304 where the browser has this version, also squeezed or marked as weak."""
    version, _ = response.get_etag()
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or not version:
        return response
    known = {_SQUEEZED.sub("", tag) for tag in request.if_none_match.as_set(include_weak=True)}
    if _SQUEEZED.sub("", version) not in known:
        return response
    response.close()  # of a file
    response.direct_passthrough = False
    response.set_data(b"")
    response.status_code = 304
    for name in ("Content-Encoding", "Content-Length", "Content-Type"):
        response.headers.pop(name, None)
    return response
