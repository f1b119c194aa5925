"""Training SQCodec: ``python -m sqcodec.train``."""
