"""The words everyone uses: reading, kind and value, device, town, frame, clock, settings.

The bottom of the platform: every other part imports core, core imports none of them. Here also lie the few
things all parts do in the same way: an MQTT session that acknowledges by hand, a database that survives
a power cut, and the one place that knows what time it is.
"""
