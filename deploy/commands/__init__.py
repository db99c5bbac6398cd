"""One file for each sub-command of `partheland`: its options, its examples and what it does."""
