"""What processes are made of: services, started when first asked for and stopped in reverse order."""
