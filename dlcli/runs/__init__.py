"""One training and all its files."""
