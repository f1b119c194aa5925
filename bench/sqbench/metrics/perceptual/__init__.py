"""Metrics of how a clip sounds, most of them by a trained model. Beside the protocol, never in it."""
