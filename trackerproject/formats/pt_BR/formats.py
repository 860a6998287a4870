"""Dates and times in Brazilian Portuguese."""

DATE_FORMAT = "d/m/Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "d/m/Y H:i:s"
SHORT_DATE_FORMAT = "d/m/Y"
SHORT_DATETIME_FORMAT = "d/m/Y H:i"
# Of the days above a list; Django's names of months begin with capitals.
MONTH_DAY_FORMAT = "d/m"
