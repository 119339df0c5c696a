"""How much one person may change alone. Beyond it a second person must approve. Pure.

What counts is energy that is added or taken away, at one place and in all, over the whole span: an hour's shift of a
clock moves much and changes no total, so one person may put five thousand clocks right; ten megawatt-hours added to one
place are another matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.mdm.editing.ports import Effect


@dataclass(frozen=True, slots=True)
class EditLimits:
    """What one person may decide alone.

    Args:
        place_wh: most that the total of one channel of one place may change [Wh]; a fortnight of a large home.
        all_wh: most that the totals of all places together may change [Wh].
        places: most places whose total changes at all beyond ``noise_wh``.
        noise_wh: change of a total that counts for nothing [Wh]: what an estimated hour at a span's edge makes.
    """

    place_wh: int = 500_000
    all_wh: int = 25_000_000
    places: int = 500
    noise_wh: int = 3_000

    def needs_second(self, effect: Effect) -> str | None:
        """Return why a second person must approve, in words; None where one person is enough."""
        if effect.most_wh > self.place_wh:
            return f"one place changes by {effect.most_wh / 1000:,.1f} kWh, the limit is {self.place_wh / 1000:,.0f}"
        changed_wh = effect.up_wh + effect.down_wh
        if changed_wh > self.all_wh:
            return f"{changed_wh / 1000:,.1f} kWh change in all, the limit is {self.all_wh / 1000:,.0f}"
        if effect.places_changed > self.places:
            return f"the totals of {effect.places_changed:,} places change, the limit is {self.places:,}"
        return None
