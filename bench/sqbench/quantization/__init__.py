"""Quantizers and gradient estimators on simulated data whose information content is known.

Sources, networks and quantizers are small, so that a cell of the experiment takes seconds; several
seeds train at once, stacked on a leading axis. The design follows what the abstract and secondary
summaries of arXiv 2502.04770 tell; it is a reconstruction, and no number here is that paper's.
"""
