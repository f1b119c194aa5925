"""Results as pages and figures: the report, the leaderboard folder, plots for papers."""
