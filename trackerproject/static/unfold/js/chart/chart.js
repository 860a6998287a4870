// In place of the theme's own 200 kB, which every page of the admin would load: our charts are drawn on the server, as SVG.
