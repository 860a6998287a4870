"""Which rules want which events, who is notified, and when. Pure: values in, values out."""
