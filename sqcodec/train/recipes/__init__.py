"""Recipes: every number of a training."""
