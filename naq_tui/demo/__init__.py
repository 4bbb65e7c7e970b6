"""A server, workers and traffic of our own: real jobs over input that every machine has, the files of Python."""
