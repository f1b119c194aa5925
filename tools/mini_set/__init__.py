"""Generators of the embedded mini set; `tools.make_mini` runs them."""
