"""Customers: who they are, where they live and since when. The only room that knows a name.

Other rooms talk to :mod:`openami.customer.api`. Everything that leaves the room is keyed by random ids.
"""
