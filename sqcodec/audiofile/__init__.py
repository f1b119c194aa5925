"""Audio files as people have them: read by libsndfile, and held against what their headers declare.

One reader for the harness and the trainer, so that a file is whole, cut off or damaged for both.
"""

from sqcodec.audiofile.errors import AudioError, Kind
from sqcodec.audiofile.formats import EXTENSIONS, FOREIGN, SHARED, is_audio
from sqcodec.audiofile.opening import describe_os_error
from sqcodec.audiofile.reading import is_length_of, length_of, read
from sqcodec.audiofile.remarks import remarks

__all__ = [
    "EXTENSIONS",
    "FOREIGN",
    "SHARED",
    "AudioError",
    "Kind",
    "describe_os_error",
    "is_audio",
    "is_length_of",
    "length_of",
    "read",
    "remarks",
]
