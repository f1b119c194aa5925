"""Metrics of pairs: one module each, and what prepares a pair for them."""
