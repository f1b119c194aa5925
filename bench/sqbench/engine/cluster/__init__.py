"""A run on a Ray cluster: the same records as on one machine, from many."""
