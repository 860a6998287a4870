"""Colours of the admin."""

# Teal, dark enough from 600 on for white text (4.5:1).
PRIMARY = {
    "50": "oklch(98% .014 181)",
    "100": "oklch(95% .04 181)",
    "200": "oklch(91% .08 181)",
    "300": "oklch(85% .11 182)",
    "400": "oklch(78% .12 182)",
    "500": "oklch(70% .12 183)",
    "600": "oklch(52% .095 185)",
    "700": "oklch(46% .085 186)",
    "800": "oklch(40% .07 188)",
    "900": "oklch(35% .06 189)",
    "950": "oklch(25% .05 193)",
}
