"""What keeps the database small: one module per kind of thing that is removed, each one service per task."""
