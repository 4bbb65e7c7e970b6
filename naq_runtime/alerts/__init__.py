"""Alert rules: what they say, how they are evaluated, and who is told."""
