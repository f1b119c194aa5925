"""Codecs as tokenizers: statistics of their codes, from run to report."""
