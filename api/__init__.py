"""What people and programs see of the platform, over HTTP.

The same facts as JSON for programs and, later, as pages for people: readings, devices, the ledger and what
was refused. Nothing here decides or keeps anything; it asks ingest and core and says what they answered.
Errors are RFC 9457 problems with a sentence that helps.
"""
