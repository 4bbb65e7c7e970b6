"""What naq can do with events by itself, configured by the tables ``[processors.NAME]``: a module a kind."""
