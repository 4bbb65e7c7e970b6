"""What the dashboard knows, in plain values: no terminal, no event loop, no clock of its own."""
