"""Everything that speaks to a NATS server; the only package that imports ``nats``.

Its errors end here: what leaves this package is a `naq_runtime.errors.NaqError`.
"""
