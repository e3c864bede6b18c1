"""TAP 1.1 over the index of a folder: ADQL read, made into SQL, asked within limits, answered in the field's formats.

``model`` is what a table is, ``tables`` which there are; ``grammar`` reads a
question, ``statement`` and ``geometry`` say it in SQL; ``engine`` asks, ``formats``
and ``votable`` write; ``jobs`` are questions that wait for their turn; ``vosi``
and ``uws`` are the documents of the protocol, ``routes`` its addresses.
"""
