"""A job that computes for a given time, for the benchmarks."""

import time

from naq_runtime import task


@task
async def compute(seconds: float) -> None:
    """Take so much time of the processor, whatever else it does meanwhile."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
