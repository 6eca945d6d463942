"""Protobuf: the generated code (truc/), and pure translation between it and the words of model/. No socket, no store."""
