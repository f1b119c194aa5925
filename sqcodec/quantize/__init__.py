"""Gradient estimators of quantizers, for the trainer and the bench of quantizers."""
