"""What can be said about a mapping before it runs in production."""
