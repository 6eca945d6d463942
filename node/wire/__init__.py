"""Wire: the generated protobuf code (truc/), and pure translation between it and the words of model/. No socket, no store.

codec.py      what is signed or said in the mesh, to import from one place     generate.py   makes truc/ from protos/
envelope.py   envelopes, signatures, key wraps                                 receipt.py    receipts and reasons
mesh.py       what nodes say to each other                                     office.py     what an office asks
track.py      what an office is shown                                          admin.py      what an operator asks
webhook.py    what is posted to a webhook                                      lane.py       lanes, large ones in two numbers
"""
