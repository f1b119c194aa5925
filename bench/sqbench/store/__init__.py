"""Results on the disk and what they amount to: records, runs, selections, means."""
