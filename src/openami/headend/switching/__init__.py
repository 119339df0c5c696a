"""Switching customers' supply: what is ordered and why, what forbids it, and the life of each meter of an order. Pure.

It knows no session, no key and no customer: who has paid and who is held is told by codes alone.

Source: research on utility practice (disconnect and reconnect); requirements R3.4, R3.7, R3.8.
"""
