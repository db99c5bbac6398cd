"""Rules: readings become findings, findings become tickets, presses become cases.

engine.py holds what is known of each device and what follows from it; process.py tells the story of a batch, from the
journal to one transaction; desk_tickets.py and desk_cases.py are where people act. Nothing here asks the wall clock.
"""
