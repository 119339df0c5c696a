"""Billing reads handed to and taken from other systems: the night, the inbox, what goes out, and the desk."""
