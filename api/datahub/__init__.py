"""What the DataHub reads: one folder for each format, in that format's own words and with its own errors."""
