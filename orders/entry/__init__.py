"""Order entry: bytes to terms (bodies.py), to a plan (plans.py), to an answer (flow.py).

REST, pages and sockets run it; none of them knows more of it than `flow.run`.
"""
