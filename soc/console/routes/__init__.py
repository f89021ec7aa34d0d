"""Routes of the console, one module a place."""
