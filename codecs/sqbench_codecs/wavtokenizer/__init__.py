"""WavTokenizer (Ji et al., arXiv 2408.16532): one codebook at 40 or 75 tokens a second.

It has no package of its own. The encoder is EnCodec's and most of the decoder is Vocos', both from
their packages; what they lack is in `network`.
"""

from sqbench_codecs.wavtokenizer.codec import WavTokenizer, entries

__all__ = ["WavTokenizer", "entries"]
