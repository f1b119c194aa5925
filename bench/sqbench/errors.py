"""What is raised for bad input, everywhere in the harness.

The class itself lies in the lowest package: the codec, which stands alone, raises it too.
"""

from sqcodec.errors import InputError

__all__ = ["InputError"]
