"""A run: what there is to do, codecs and evaluators over clips, metrics in workers."""
