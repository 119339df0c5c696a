"""The commands of the command line: parse, call a room, print. No rule of the field lives here."""
