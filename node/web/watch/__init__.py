"""Watch: what a Prometheus server and whatever supervises the process read of a node, on a port of this machine.

    /metrics        counters and gauges, in Prometheus' text format (or OpenMetrics, if asked for)
    /health/live    200 as long as the process answers
    /health/ready   200 if it can sign, takes writes, knows a directory and keeps time; else 503 with the reasons in words

    look.py      one look at a running node: everything that is not a counter already, in bounded time
    figures.py   every figure: name, labels, meaning     metrics.py   filled in; the only file that knows prometheus_client
    pages.py     the three addresses          build.py    behind one door

The rooms between the ports know nothing of this: they keep plain counters (node/flow/counters.py, net's tallies, store/timing.py), and
figures that would need a search are read in pages (node/flow/views/queue_counts.py, store/disk_usage.py). A look costs the same for a
million deliveries as for ten. No label holds a unit's code, a packet's id or anything else that grows with the number of packets.
"""
