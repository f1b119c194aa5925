"""Blind tests: a page that does not tell what is heard, and what listeners' answers amount to.

`design` says what is compared, `write` makes the page and the key that tells what was what,
`results` reads what listeners send back, `abx` and `mushra` weigh it, `report` prints.
"""
