"""How a clip sounds, mostly by trained models: beside the protocol, never in its columns."""
