"""The edge: what devices say becomes readings that survive a power cut.

Messages come in over MQTT, natively or through a LoRaWAN server; they are decoded, checked and written
to the spool before the broker gets its acknowledgement. The uplink carries the spool to the centre and
lets go of a record only when the centre says it has it. SOS goes first through every queue.
"""
