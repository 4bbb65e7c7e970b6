"""Reading metrics as Prometheus does."""

from __future__ import annotations

import asyncio
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["samples", "scraped"]


async def scraped(port: int) -> dict[str, float]:
    """Every sample by name and labels, ``name{a=1,b=2}``, without histograms' buckets."""

    def get() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    return samples(await asyncio.to_thread(get))


def samples(text: str) -> dict[str, float]:
    """The same, of the text form."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
