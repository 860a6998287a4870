"""Matching of events with rules, and the time of notification. Pure: values in, values out."""
