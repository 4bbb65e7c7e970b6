"""What happened, counted: roll-ups of the events, who writes them, and who answers from them."""
