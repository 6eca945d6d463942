"""VXP: the bridge for software that speaks to the national axis (trục liên thông văn bản quốc gia) by the client library of that name.

Such software reaches a node instead, unmodified, once its endpoint, system id and secret are changed.

    POST <endpoint>/<operation>, arguments in signed header fields, one JSON object back

    bridge.py      one request: who calls, which operation, what went wrong; every answer is one that the library can read
    signature.py   the signed header fields, and what may be believed of them
    send.py        sendEdoc                                edocfile.py   the file within its body
    receive.py     lists, getEdoc, downloadEdoc, updateStatus, counts
    sent.py        getSentEdocList
    agencies.py    the lists of agencies                   register.py   registerAgency, deleteAgency
    answer.py      JSON answers and the codes of refusals   streams.py   answers that are made while they are sent
    context.py     what the bridge asks of the node         build.py     puts the bridge together

The library's behaviour is known from the outside only, and some of it is odd: a hash without leading zeros, one line end too many,
header fields that stick from call to call, a POST repeated by the Java runtime without asking. Each oddity is named where it is
met. Content in is content out: nothing here looks into a packet or changes an octet of it.
"""
