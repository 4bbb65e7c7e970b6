"""Finding jobs, wherever they stand and however they ended; and why jobs fail."""
