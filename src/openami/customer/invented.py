"""Invented people for the demonstration. Names and streets are made up; the addresses end in a reserved domain.

Source of the domain: RFC 2606, ``example.org`` belongs to nobody.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from openami.customer.api import NewCustomer

DOMAIN = "example.org"
_FIRST_WORDS = (
    "Ada Amir Ana Anders Asha Ben Carla Chen Dara Diego Ebba Elif Emil Esther Farid Fiona Gita Hana Hugo "
    "Ida Imani Ines Ivan Jana Jonas Kamal Kira Lars Leila Linh Luca Maja Marek Mei Mila Nadia Nils Noor "
    "Olga Omar Paolo Priya Rosa Sami Sofia Sven Tara Theo Uma Vera Wanda Yara Yusuf Zoe"
)
_FIRST = _FIRST_WORDS.split()
_LAST_WORDS = (
    "Abara Alder Ashford Bergmann Birch Brook Calder Castillo Dahl Dunmore Eklund Farrow Fenwick Garnet "
    "Glass Hartwell Hollis Ibarra Juniper Kessler Kimani Larkin Lindqvist Marlow Mercer Nakata Novak "
    "Okafor Orchard Pell Quill Ramsey Rowan Sandoval Sable Thorne Umber Vance Verma Wexler Whitlock "
    "Yarrow Zielinski"
)
_LAST = _LAST_WORDS.split()
_STREET_WORDS = "Alder Birch Cedar Dogwood Elm Fern Hazel Juniper Laurel Maple Oak Pine Quince Rowan Spruce Walnut"
_STREET = _STREET_WORDS.split()
_KIND = ("Street", "Avenue", "Lane", "Court")


def invented_customers(
    service_points: Sequence[UUID], *, dice: random.Random, since: datetime, password: str | None = None
) -> list[NewCustomer]:
    """Return one invented customer for each service point; the same dice give the same people.

    Args:
        service_points: where they live.
        dice: seeded.
        since: move-in of everybody, UTC.
        password: the first customer's password; the others cannot sign in. None: nobody can.
    """
    customers = []
    for number, place in enumerate(service_points):
        first, last = dice.choice(_FIRST), dice.choice(_LAST)
        street = f"{100 + 2 * (number % 450)} {dice.choice(_STREET)} {dice.choice(_KIND)}"
        customers.append(
            NewCustomer(
                name=f"{first} {last}",
                email=f"{first}.{last}.{number + 1}@{DOMAIN}".lower(),
                service_point_id=place,
                address=street,
                since=since,
                password=password if number == 0 else None,
            )
        )
    return customers
