"""Telegrams for people: what a captured message is and says, without a platform (``openami decode``)."""
