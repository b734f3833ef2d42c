"""Escalations over HTTP, as the benchmarks start and stop them."""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.product import BenchmarkError, Product

PATH = "/api/v1/escalations/"


class Client:
    """One kept connection to the product."""

    def __init__(self, tocsin: Product) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", tocsin.stack.port, timeout=60)
        self._headers = {"Content-Type": "application/json", **tocsin.headers}

    def post(self, body: Mapping[str, Any], expected: int) -> Any:
        self._connection.request("POST", PATH, json.dumps(body), self._headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status != expected:
            raise BenchmarkError(f"answered with {response.status}: {said[:300]!r}")
        return json.loads(said)

    def start(self, process_id: str, due: Sequence[tuple[str, float]]) -> None:
        """Start a process that tells each of these URLs at its time."""
        notifications = [{"channel": "webhook", "at": at, "url": url} for url, at in due]
        body = {"process-id": process_id, "action": "start", "notifications": notifications}
        self.post(body, 201)

    def stop(self, process_id: str) -> str:
        """Stop a process; returns what came of it."""
        return str(self.post({"process-id": process_id, "action": "stop"}, 200)["result"])

    def close(self) -> None:
        self._connection.close()
