"""SQCodec for use: the published network folded, in segments, on all cores."""
