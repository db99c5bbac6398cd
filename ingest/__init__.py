"""The centre's front door: what gateways bring is kept once, and kept for good.

Frames are written to the journal before they are acknowledged; duplicates are dropped and gaps are entered
in the ledger. Consumers read the journal at their own pace, each from its own position: the stores
(InfluxDB, DuckDB), the quarantine, later the rules and the live feed. No store can hold up another.
"""
