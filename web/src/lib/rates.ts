// What the page of rates says, in words: pure, so that every sentence can be tested.
import type { BreakEvenView, CostPartView, RateCostView, RatesView } from '../api/types';
import { calendarMonth, decimal, money } from './format';

/** A whole amount: cents are noise in what a year might cost. */
export function about(text: string, currency: string): string {
  return money(String(Math.round(Math.abs(Number(text)))), currency).replace(/\.00$/, '');
}

/** `$50`, or `$50 to $127` for a range. */
export function between(low: string, high: string, currency: string): string {
  const [a, b] = [about(low, currency), about(high, currency)];
  return a === b ? a : `${a} to ${b}`;
}

function compared(view: RatesView): string {
  return view.months === 12 ? 'over the last 12 months' : `over ${view.months} ${view.months === 1 ? 'month' : 'months'}`;
}

/** The page's first sentence. */
export function headline(view: RatesView): string {
  const { advice, currency } = view;
  const assumed = view.assumptions.length ? 'With what you assumed, ' : '';
  const name = advice.rate_name ?? '';
  const start = (text: string): string => (assumed ? assumed + text.charAt(0).toLowerCase() + text.slice(1) : text);
  if (advice.kind === 'change') return `${assumed}${name} would have cost you ${about(advice.saving, currency)} less ${compared(view)}.`;
  if (advice.kind === 'cheapest') return `${assumed}${name} would have cost least ${compared(view)}.`;
  if (advice.kind === 'stay') {
    if (view.unseen.length && advice.year && advice.year.low !== advice.year.high) {
      return start(`Stay on ${name} for now: we have not seen enough of a year to advise another rate.`);
    }
    return start(`Stay on ${name}: no other rate would have saved you enough to count on.`);
  }
  if (view.rates.length === 0) return 'Rates will be compared here when a whole month of your readings is in.';
  return 'There are too many gaps in your readings to say which rate suits you.';
}

/** What the figures rest on. */
export function basis(view: RatesView): string {
  const parts = [
    `Priced on your own ${decimal(view.usage_wh / 1000, 0)} kWh by the engine that makes your bills.`,
    `${percent(view.coverage)} of the readings are there`,
  ];
  parts[1] += view.estimated_share > 0.0005 ? `, and ${percent(view.estimated_share)} of the energy is estimated.` : ', none of them estimated.';
  return parts.join(' ');
}

export function percent(share: number): string {
  const cut = Math.floor(share * 1000) / 10;
  return `${decimal(cut, Number.isInteger(cut) ? 0 : 1)} %`;
}

/** Months that stand in a year as a range, in words; empty where all were seen. */
export function unseenWords(view: RatesView): string {
  if (!view.unseen.length) return '';
  const names = view.unseen.map((m) => calendarMonth(m).split(' ')[0] ?? '');
  const list = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return (
    `We have not seen your ${list}. A year is shown as a range: what the months we have seen would cost then. ` +
    'A season that we have not seen may lie outside it.'
  );
}

/** Charges that no figure on the page holds; empty where rates differ in what they lack, which each then says itself. */
export function lackedByAll(rates: RateCostView[]): string[] {
  const priced = rates.filter((r) => r.total !== null);
  const first = priced[0]?.missing_charges ?? [];
  return priced.every((r) => r.missing_charges.join() === first.join()) ? first : [];
}

/** How a rate compares with the present one. */
export function difference(rate: RateCostView, currency: string): string {
  if (rate.refused) return 'cannot be told';
  if (rate.is_present) return 'your rate now';
  if (rate.more_than_present === null) return '';
  const more = Number(rate.more_than_present);
  if (more === 0) return 'the same';
  return `${about(rate.more_than_present, currency)} ${more > 0 ? 'more' : 'less'}`;
}

/** What would have to be true for a rate to be the better choice. */
export function breakEvenWords(found: BreakEvenView): string {
  const name = found.rate_name;
  if (found.lever === 'none') return `${name} is the better choice as things are.`;
  if (found.lever === 'shift') {
    if (!found.reachable) return `${name}: moving everything out of its dearest hours would still not be enough.`;
    return (
      `${name} would be better if you moved ${decimal(Number(found.kwh_per_day), 1)} kWh a day ` +
      `(${decimal(found.share * 100, 0)} % of what you use in its dearest hours) to its cheapest hours.`
    );
  }
  if (!found.reachable) return `${name}: keeping your highest hours lower would not be enough by itself.`;
  return (
    `${name} would be better if no hour that counts went above ${decimal(Number(found.kw), 1)} kW. ` +
    `Your highest was ${decimal(Number(found.now_kw), 1)} kW.`
  );
}

export type Tone = 'off' | 'mid' | 'on' | 'grid' | 'demand' | 'fixed' | 'other';

/** The color that a part of a cost has everywhere; the word beside it says the same. */
export function tone(part: CostPartView): Tone {
  if (part.kind === 'demand') return 'demand';
  if (part.kind === 'fixed' || part.kind === 'minimum') return 'fixed';
  if (part.kind !== 'energy') return 'other';
  const name = part.name.toLowerCase();
  if (name.includes('off-peak')) return 'off';
  if (name.includes('on-peak')) return 'on';
  if (name.includes('intermediate') || name.includes('mid')) return 'mid';
  return 'grid';
}

export const toneWords: Record<Tone, string> = {
  grid: 'Energy',
  off: 'Energy, off-peak',
  mid: 'Energy, mid-peak',
  on: 'Energy, on-peak',
  demand: 'Demand',
  fixed: 'Fixed charges',
  other: 'Riders and taxes',
};

export interface Slice {
  tone: Tone;
  amount: number;
}

/** The parts of a rate's cost by color, in one order; what lowers the cost is left out of the picture. */
export function slices(rate: RateCostView): Slice[] {
  const order: Tone[] = ['fixed', 'grid', 'off', 'mid', 'on', 'demand', 'other'];
  return order
    .map((t) => ({ tone: t, amount: rate.parts.filter((p) => tone(p) === t).reduce((sum, p) => sum + Number(p.amount), 0) }))
    .filter((s) => s.amount > 0);
}

/** The length of a full bar: the dearest year or total, a little beyond. */
export function scaleOf(rates: RateCostView[]): number {
  return Math.max(1, ...rates.map((r) => Math.max(Number(r.total ?? 0), Number(r.year?.high ?? 0)))) * 1.02;
}

/** `demand prices, low confidence: printed by the source under another rate` */
export function confidence(line: string): string {
  return line.replace(/^([^:]+): (high|medium|low|open)\b/, (_, clause: string, mark: string) =>
    mark === 'open' ? `${clause}, an open question` : `${clause}, ${mark} confidence`,
  );
}

/** A price of a part: `18.6 ¢`, `$9.28`, or from one to the other where blocks or price changes differ. */
export function price(low: string, high: string, unit: string, currency: string): string {
  if (unit === 'percent') return '';
  const one = (text: string): string => {
    const value = Number(text);
    if (unit !== 'kWh' || currency !== 'USD' || Math.abs(value) >= 1) return money(text, currency);
    return `${decimal(value * 100, 4).replace(/\.?0+$/, '').replace('-', '−')} ¢`;
  };
  return low === high ? one(low) : `${one(low)} to ${one(high)}`;
}

/** `1,202 kWh`, `24.3 kW`, `12 months`. */
export function quantity(text: string, unit: string): string {
  const value = Number(text);
  if (unit === 'percent') return '';
  const digits = unit === 'kWh' || Number.isInteger(value) ? 0 : 1;
  const isCounted = unit === 'month' || unit === 'day' || unit === 'year';
  return `${decimal(value, digits)} ${isCounted && value !== 1 ? `${unit}s` : unit}`;
}

const NAMED = 4;

/** What is not certain, by the names of the first few clauses: `demand prices, holidays and 3 more points`. */
export function uncertain(lines: string[]): string {
  const names = lines.map((line) => line.split(':')[0] ?? '');
  const more = names.length - NAMED;
  if (more > 0) return `${names.slice(0, NAMED).join(', ')} and ${more} more ${more === 1 ? 'point' : 'points'}`;
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
