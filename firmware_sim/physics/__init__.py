"""A lighting region as columns: what the lamps, bays and buttons of weeks would have said, and what was really wrong.

Where `firmware_sim.world` plays devices one message at a time over MQTT, this plays thousands of them for weeks within
seconds, for judging detection. It is written from how lamps, cables and radio behave, never from the rules that will
look at it. The story, in reading order:

    plan       what is asked: how many, how long, which seed, how much is lost
    models     the lamps there are
    region     where they hang: towns, gateways, cabinets, circuits, phases; the inventory
    nights     what they are told: profiles laid out over the nights
    faults     what can go wrong, drawn by the seed; `events` is what only looks like it
    lamps      what they draw, feel and report; `mains` the voltage, `warmth` the temperature
    solar      the stations that live on a battery
    radio      what of it arrives, through which gateway, and when
    bays, stays, buttons   the smaller part: parking and SOS; `sensed` is what bay sensors make of the cars, `coupling`,
               `restarts` and `snow` what goes wrong with that
    counters   barriers that count cars, and loops that miss more of those that leave
    play       all of it; `played` the columns that come out, `files` the same as CSV
"""
