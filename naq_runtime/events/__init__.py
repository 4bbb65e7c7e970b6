"""The event log: what is recorded, how it is written without slowing anybody, and how it is read again."""
