"""Pages of lines, laid out from plain values."""
