"""Puts the parts together: the `partheland` command and the processes it looks after.

Only here the broker, the gateway, the centre and the simulator meet; every other folder knows nothing of
processes, ports or command lines. A process that ends is started again, in an order that loses nothing.
Beside the code: unit files, a compose file and the script that builds a real InfluxDB for the tests.
"""
