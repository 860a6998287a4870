"""The rule of texts of one line, such as names: they stand in subjects, in lines of e-mails and in cells of tables."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

ONE_LINE = RegexValidator(r"\A[^\x00-\x1f\x7f\x85\u2028\u2029]*\Z", _("Control characters are not allowed."))
