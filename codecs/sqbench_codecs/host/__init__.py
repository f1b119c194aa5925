"""The process that holds a codec. `wire`, `fingerprint`, `seeding` and `server` need the standard
library and NumPy alone: they also run under interpreters in which nothing of this project is
installed (``python PATH_OF_THIS_FOLDER``).
"""
