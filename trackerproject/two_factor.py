"""The apps of the second factor at log-in (docs/adr/0016)."""

TWO_FACTOR_APPS = ["django_otp", "django_otp.plugins.otp_totp", "django_otp.plugins.otp_static"]
