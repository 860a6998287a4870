"""The name under which migration 0003 imports the codec of stored chunks; everything else imports `reports_app.table`."""

from reports_app.table import encode_chunk

__all__ = ["encode_chunk"]
