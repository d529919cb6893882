"""An association becomes a `ReceivedInstance`: bytes and row durable, then Success.

Event-driven on one asyncio loop, over pynetdicom's PDU codecs; an idle association costs a socket
and nothing else. Never decodes pixels and never parses a data set: what a cart sent is kept byte
for byte.
"""
