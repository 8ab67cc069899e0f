"""`/healthz` and `/metrics`."""

from __future__ import annotations

import time
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import OpenAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from web.site import site

_TEXT: Any = {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}


class Health(BaseModel):
    """What is served, and whether it is ready."""

    live: bool
    ready: bool
    generation: int
    products: int
    vectors: int
    index_type: str
    recall: float
    model: str
    adapted: bool
    fingerprint: str


def register(app: OpenAPI) -> None:
    registry = CollectorRegistry()
    requests = Counter(
        "retrieval_requests", "Requests answered.", ["route", "status"], registry=registry
    )
    latency = Histogram(
        "retrieval_request_seconds",
        "Time to answer a request.",
        ["route"],
        registry=registry,
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    )
    generation = Gauge("retrieval_generation", "The live generation.", registry=registry)
    products = Gauge("retrieval_products", "Products that can be found.", registry=registry)

    remembered = Gauge(
        "retrieval_texts_remembered", "Texts whose vector was known.", registry=registry
    )
    passes = Gauge("retrieval_forward_passes", "Passes through the model.", registry=registry)
    encoded = Gauge("retrieval_items_encoded", "Texts and photos in them.", registry=registry)

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        # The rule, not the address: a name for each product would be without end.
        route = request.url_rule.rule if request.url_rule else "none"
        requests.labels(route, response.status_code).inc()
        if "started" in g:
            latency.labels(route).observe(time.perf_counter() - g.started)
        return response

    @app.get("/metrics", responses={"200": _TEXT})
    def metrics() -> Response:
        """Counts and latencies, as Prometheus reads them."""
        manifest = site().searcher.reader.manifest
        generation.set(manifest.generation)
        products.set(manifest.products)
        counts = site().searcher.counts
        remembered.set(counts.remembered)
        passes.set(counts.passes)
        encoded.set(counts.items)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz", responses={"200": Health, "503": Health})
    def healthz() -> tuple[Response, int]:
        """Whether it is ready, and what it serves; 503 while the model loads."""
        return jsonify(_health()), 200 if site().ready.is_set() else 503


def _health() -> dict[str, Any]:
    manifest = site().searcher.reader.manifest
    return {
        "live": True,
        "ready": site().ready.is_set(),
        "generation": manifest.generation,
        "products": manifest.products,
        "vectors": manifest.vectors,
        "index_type": manifest.index_type,
        "recall": manifest.recall,
        "model": manifest.model,
        "adapted": manifest.adapter,
        "fingerprint": manifest.fingerprint,
    }
