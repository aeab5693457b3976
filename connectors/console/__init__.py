"""A job's own standard output and error: what may be shown there, and how nobody who looks on holds it up."""
