"""Durable processors: functions that get every event of the log, at least once, whichever process dies."""
