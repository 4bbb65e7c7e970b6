"""A server, workers, schedules and traffic of our own: real jobs over what every machine has, the files of Python."""
