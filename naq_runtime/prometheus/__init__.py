"""Metrics of a whole namespace for Prometheus (extra ``prometheus``): ``naq metrics``.

Counters and histograms are made of the events, gauges of what stands on the server. They belong to the namespace, and
not to this process: one of it is enough, a second one says the same.
"""
