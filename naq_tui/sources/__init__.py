"""Where the dashboard gets what it shows: a server, a file, or memory."""
