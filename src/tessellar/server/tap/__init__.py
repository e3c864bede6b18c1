"""TAP 1.1 over the index of a folder: ADQL read, made into SQL, asked within limits, answered in the field's formats.

``model`` is what a table is, ``tables`` which there are; ``grammar`` reads a
question, ``statement``, ``geometry`` and ``boxes`` say it in SQL, with the
``functions`` that SQLite lacks; ``engine`` asks, ``formats`` and ``votable``
write; ``jobs`` are questions that wait for their turn; ``documents`` are those
of the protocol, ``routes`` its addresses, ``fetching`` and ``uploads`` the tables
that come with a question.
"""
