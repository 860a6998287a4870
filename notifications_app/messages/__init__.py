"""Messages: their contents, templates and texts."""
