"""The scheduler: makes the jobs of schedules when they are due, once each, whoever of several does it."""
