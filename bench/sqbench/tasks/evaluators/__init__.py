"""Models that listen: one file each, imported when it is asked for."""
