"""The WebSocket of notifications."""
