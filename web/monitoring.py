"""`/healthz` and `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import OpenAPI, Tag
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from pydantic import BaseModel

from .site import Site, site

TAG = Tag(name="operation")
METRICS = "Requests by address and status, seconds by stage, batches of the model, the generation."
HEALTH = "The live generation with its counts and its model; for a balancer: 503 while it loads."
BATCHES = (1, 2, 4, 8, 16, 32, 64)
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
    backend: str | None
    fingerprint: str


def register(app: OpenAPI) -> None:
    site_here: Site = app.extensions["site"]
    registry = site_here.registry
    registry.register(_Encoding(site_here))
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

    @app.get("/metrics", tags=[TAG], description=METRICS, responses={"200": _TEXT})
    def metrics() -> Response:
        """Counts and latencies, as Prometheus reads them."""
        manifest = site().searcher.generation.manifest
        generation.set(manifest.generation)
        products.set(manifest.products)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz", tags=[TAG], description=HEALTH, responses={"200": Health, "503": Health})
    def healthz() -> tuple[Response, int]:
        """Whether it is ready, and what it serves; 503 while the model loads."""
        return jsonify(_health()), 200 if site().ready.is_set() else 503


class _Encoding(Collector):
    """What the encoder counts itself, told when it is asked for."""

    def __init__(self, served: Site) -> None:
        self._served = served

    def collect(self) -> Iterator[Metric]:
        counts = self._served.searcher.counts
        texts = CounterMetricFamily(
            "retrieval_text_vectors", "Texts by whether their vector was known.", labels=["known"]
        )
        texts.add_metric(["yes"], counts.remembered)
        texts.add_metric(["no"], counts.missed)
        yield texts
        passes = dict(counts.passes)
        buckets = [
            (str(size), sum(times for items, times in passes.items() if items <= size))
            for size in BATCHES
        ]
        yield HistogramMetricFamily(
            "retrieval_batch_items",
            "Texts or photos in one pass through the model.",
            buckets=[*buckets, ("+Inf", sum(passes.values()))],
            sum_value=sum(items * times for items, times in passes.items()),
        )


def _health() -> dict[str, Any]:
    manifest = site().searcher.generation.manifest
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
        "backend": site().searcher.backend,
        "fingerprint": manifest.fingerprint,
    }
