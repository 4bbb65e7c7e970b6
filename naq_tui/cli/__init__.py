"""The commands ``naq`` and ``naq-top``.

Each command imports what it needs in its own body, so that the help and one-shot queries start fast.
"""
