"""Training audio: listed, decoded once, drawn, cropped."""
