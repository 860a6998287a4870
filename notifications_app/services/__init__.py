"""Writes of notifications, one verb each."""
