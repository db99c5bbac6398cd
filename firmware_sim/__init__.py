"""The hardware's stand-in: what hangs on the poles of the seven towns, as far as its messages can tell.

It knows nothing of the platform, as real hardware would not; only golden payload files are shared. The story:

    settings, region    one seed makes the inventory: streets, circuits, cabinets, car parks, buttons, gateways
    fleet               puts firmware behind each row: lamp, cabinet, parking, counter, sos (all are a device)
    world        ★      one heap of events: wakes, faults, messages on their way; the same seed gives the same bytes
    radio, lorawan      what the air and the network server do to a message
    faults, truth       what goes wrong, and the file that says so
    runner | files      play it to an MQTT broker in real time or time-lapse, or write it down
    cli                 `partheland sim`
"""
