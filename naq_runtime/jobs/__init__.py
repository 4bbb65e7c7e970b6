"""The rules of jobs: how they are stored, moved, ended and buried, on a server or in memory."""
