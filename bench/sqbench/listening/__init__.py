"""A page to hear codecs on: clips coded and scored, spectrograms, HTML."""
