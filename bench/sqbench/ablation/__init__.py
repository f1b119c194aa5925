"""The report on rows of an ablation that the trainer ran."""
