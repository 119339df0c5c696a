"""How much one person may change alone. Beyond it a second person must approve. Pure.

What counts is energy that is added or taken away, at one place and in all, over the whole span: an hour's shift of a
clock moves much and changes no total, so one person may put five thousand clocks right; ten megawatt-hours added to one
place are another matter. What a person decided alone before counts with it: a large change in slices is a large change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from openami.mdm.editing.ports import Effect


@dataclass(frozen=True, slots=True)
class EditLimits:
    """What one person may decide alone.

    Args:
        place_wh: most that the total of one channel of one place may change [Wh]; a fortnight of a large home.
        all_wh: most that the totals of all places together may change [Wh].
        places: most places whose total changes at all beyond ``noise_wh``.
        noise_wh: change of a total that counts for nothing [Wh]: what an estimated hour at a span's edge makes.
        place_span: how long what one person changed alone at a place is remembered; a bill and a half.
        all_span: how long what one person changed alone anywhere is remembered; a working day.
    """

    place_wh: int = 500_000
    all_wh: int = 25_000_000
    places: int = 500
    noise_wh: int = 3_000
    place_span: timedelta = timedelta(days=45)
    all_span: timedelta = timedelta(days=1)

    def needs_second(self, effect: Effect, before: Effect | None = None) -> str | None:
        """Return why a second person must approve, in words; None where one person is enough.

        Args:
            effect: what the preview says.
            before: what this person has changed alone lately: ``most_wh`` at the same places, the rest anywhere.
        """
        return self._beyond(effect) or (None if before is None else self._with(effect, before))

    def _with(self, effect: Effect, before: Effect) -> str | None:
        """Judge the sum; a decision that changes no total is judged by itself, however much came before."""
        if not effect.up_wh and not effect.down_wh:
            return None
        found = self._beyond(
            replace(
                effect,
                most_wh=effect.most_wh + before.most_wh,
                up_wh=effect.up_wh + before.up_wh,
                down_wh=effect.down_wh + before.down_wh,
                places_changed=effect.places_changed + before.places_changed,
            )
        )
        return found and f"with what the same person decided alone lately, {found}"

    def _beyond(self, effect: Effect) -> str | None:
        if effect.most_wh > self.place_wh:
            return f"one place changes by {effect.most_wh / 1000:,.1f} kWh, the limit is {self.place_wh / 1000:,.0f}"
        changed_wh = effect.up_wh + effect.down_wh
        if changed_wh > self.all_wh:
            return f"{changed_wh / 1000:,.1f} kWh change in all, the limit is {self.all_wh / 1000:,.0f}"
        if effect.places_changed > self.places:
            return f"the totals of {effect.places_changed:,} places change, the limit is {self.places:,}"
        return None
