"""The spool: every kept object's bytes, and its row until the database has it.

Objects are appended to segments, each as one record of row and bytes; one sync makes a record
durable, and one sync serves every cart that waits for it. An object too large to be gathered in RAM
streams to a file of its own, and its record holds the row alone. Names are made here, never from
anything a sender said.
"""

from sonogate.receive.spool.deposit import Deposit
from sonogate.receive.spool.folder import Spool
from sonogate.receive.spool.records import Arrival, Content

__all__ = ["Arrival", "Content", "Deposit", "Spool"]
