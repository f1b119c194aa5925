"""What can be evaluated: a codec in a process of its own, one in this process, a folder."""
