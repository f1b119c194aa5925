"""The published rows of the papers, as data."""
