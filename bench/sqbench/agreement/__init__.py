"""How well metrics agree with listeners, on anybody's table of ratings.

`ratings` reads a table, `run` scores its stimuli into a results folder, `statistics` compares,
`report` and `plot` show, `known` is what `sqbench metrics` says of it.
"""
