"""A catalog that another machine serves, asked as a local one is."""

from __future__ import annotations

import io
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import requests

from retrieval import errors
from retrieval.common.ids import fits_a_path
from retrieval.errors import ImageError, RetrievalError, ServerError
from retrieval.images.files import read_photo_bytes
from retrieval.searching.facets import FACETS, Facets
from retrieval.searching.query import ImageInput, Query, SearchOptions, make_query
from retrieval.searching.results import Hit, Matched, Product, SearchResult
from retrieval.storage.filters import COLUMNS

TIMEOUT_SECONDS = 60.0
TOO_LARGE = 413
# What reading an answer of another kind of server, or of another version, may raise.
NOT_UNDERSTOOD = (ValueError, KeyError, TypeError, AttributeError)
# Bytes of a photo; a server takes less as a rule, and says so.
MOST_SENT = 200_000_000


class Client:
    """The catalog that `retrieval serve` shows at an address; safe to share between threads.

    Photos and products are answered with addresses on that server in place of paths.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        token: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            address: such as `http://127.0.0.1:5000`.
            timeout: seconds that the server may be silent.
            token: bearer token, for what changes the server.
            session: with certificates, proxies or retries of your own.
        """
        self.address = address.rstrip("/")
        self._timeout = timeout
        self._session = session or requests.Session()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back the connections."""
        self._session.close()

    def search(
        self, text: str | Sequence[str] | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResult:
        """As `retrieval.searching.searcher.Searcher.search`; photos are sent, never their paths.

        Raises:
            QueryError, NotFound, ImageError: as there.
            Overtime: the server is too busy.
            ServerError: it cannot be reached, refuses, or gives no answer that is understood.
        """
        query = make_query(text, **options)
        fields: dict[str, Any] = {
            "q": list(query.texts),
            "minus": list(query.minus),
            "like": list(query.like),
            "unlike": list(query.unlike),
            **_conditions(query),
            "weights": ",".join(f"{name}={value}" for name, value in query.weights.items()),
            "in": query.scope,
            "mode": query.mode,
            "limit": query.limit,
            "offset": query.offset,
        }
        if query.facets:
            fields["facets"] = 1
        if not query.images:
            return self._result(self._ask("GET", "search", params=fields))
        files = [("image", (f"{n}.png", _bytes(photo))) for n, photo in enumerate(query.images)]
        return self._result(self._ask("POST", "search", data=fields, files=files))

    def similar(self, key: str, *, limit: int = 20, offset: int = 0) -> SearchResult:
        """Products like one of the catalog; raises NotFound where there is no such product."""
        page = {"limit": limit, "offset": offset}
        if fits_a_path(key):
            return self._result(self._ask("GET", f"products/{_quoted(key)}/similar", params=page))
        return self._result(self._ask("GET", "product/similar", params={"id": key, **page}))

    def product(self, key: str) -> Product:
        """All that is known of a product; raises NotFound where there is none."""
        if fits_a_path(key):
            answer = self._ask("GET", f"products/{_quoted(key)}")
        else:
            answer = self._ask("GET", "product", params={"id": key})
        try:
            document = answer.json()
            images = tuple(map(self._absolute, document["images"]))
            return Product(**{**document, "images": images, "words": tuple(document["words"])})
        except NOT_UNDERSTOOD as error:
            raise self._not_understood(error) from None

    def health(self) -> dict[str, Any]:
        """What the server says of itself: ready, generation, counts, model."""
        url = f"{self.address}/healthz"
        try:
            health: dict[str, Any] = self._session.get(url, timeout=self._timeout).json()
        except requests.RequestException as error:
            raise _unreachable(self.address, error) from None
        return health

    def forget_upload(self, photo_id: str) -> None:
        """Removes a photo that a visitor uploaded; needs the token."""
        self._ask("DELETE", f"uploads/{_quoted(photo_id)}")

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.address}/api/v1/{path}"
        try:
            answer = self._session.request(
                method, url, timeout=self._timeout, headers=self._headers, **options
            )
        except requests.RequestException as error:
            raise _unreachable(self.address, error) from None
        if answer.status_code < 400:
            return answer
        raise _error_of(answer)

    def _result(self, answer: requests.Response) -> SearchResult:
        try:
            document = answer.json()
            hits = tuple(self._hit(hit) for hit in document.pop("results"))
            listed = document.pop("facets", None)
            facets = None if listed is None else Facets.from_list(listed)
            return SearchResult(**document, results=hits, facets=facets)
        except NOT_UNDERSTOOD as error:
            raise self._not_understood(error) from None

    def _not_understood(self, error: Exception) -> ServerError:
        return ServerError(
            f"{self.address} gave no answer that is understood ({error}); "
            "is it `retrieval serve` of the same version?"
        )

    def _hit(self, hit: dict[str, Any]) -> Hit:
        matched = hit["matched"]
        if matched.get("image"):
            matched = {**matched, "image": self._absolute(matched["image"])}
        image = None if hit["image"] is None else self._absolute(hit["image"])
        images = tuple(map(self._absolute, hit["images"]))
        return Hit(**{**hit, "matched": Matched(**matched), "image": image, "images": images})

    def _absolute(self, path: str) -> str:
        # Served below a path, and told so by its proxy, a server names that path itself.
        below = urllib.parse.urlsplit(self.address).path
        if below and path.startswith(below + "/"):
            path = path.removeprefix(below)
        return self.address + path


def _conditions(query: Query) -> dict[str, Any]:
    """Filters as the server takes them: as text.

    Where facets are counted, what choosing one makes goes by the name of its field: only so does
    the server lift it again for that facet.
    """
    fields: dict[str, Any] = {"category": [], "brand": [], "attribute": [], "where": []}
    bounds = {">=": "min_price", "<=": "max_price"}
    for filter_ in query.where:
        bound = bounds.get(filter_.operator) if filter_.field == "price" else None
        if not query.facets:
            fields["where"].append(str(filter_))
        elif bound is not None and bound not in fields and float(filter_.value) >= 0:
            fields[bound] = filter_.value
        elif filter_.operator == "=" and filter_.field in FACETS and filter_.value:
            fields[filter_.field].append(filter_.value)
        elif filter_.operator == "=" and filter_.field not in COLUMNS:
            fields["attribute"].append(str(filter_))
        else:
            fields["where"].append(str(filter_))
    fields["where"] += [str(filter_) for filter_ in query.within]
    return fields


def _bytes(image: ImageInput) -> bytes:
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        try:
            return read_photo_bytes(Path(image), MOST_SENT, setting=None)
        except ImageError as error:
            raise ImageError(f"photo {image}: {error}") from None
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _quoted(key: str) -> str:
    return urllib.parse.quote(key, safe="/")


def _error_of(answer: requests.Response) -> RetrievalError:
    """The error that the server raised, by the name that its answer gives it."""
    try:
        problem = answer.json()
        name, detail = str(problem["type"]).rpartition(":")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        name, detail = "", f"{answer.url} answered {answer.status_code} {answer.reason}"
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, RetrievalError):
        return kind(detail)
    return (ImageError if answer.status_code == TOO_LARGE else ServerError)(detail)


def _unreachable(address: str, error: requests.RequestException) -> ServerError:
    kind = type(error).__name__
    return ServerError(f"{address} cannot be reached ({kind}); is `retrieval serve` running?")
