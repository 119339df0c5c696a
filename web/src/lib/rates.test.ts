import { describe, expect, it } from 'vitest';
import type { BreakEvenView, RateCostView, RatesView } from '../api/types';
import { about, basis, between, breakEvenWords, confidence, difference, headline, lackedByAll, percent, price, quantity, slices, tone, uncertain, unseenWords } from './rates';

function rate(over: Partial<RateCostView> = {}): RateCostView {
  return {
    code: 'a', name: 'Anytime Users', is_present: true, total: '1100.00', year: { low: '1100.00', high: '1100.00' },
    more_than_present: '0.00', refused: null, ineligible: null, missing_charges: [], rules: [], notes: [], sure: [],
    low_month: '60.00', high_month: '150.00', parts: [], months: [], demand: [], ...over,
  };
}

function view(over: Partial<RatesView> = {}): RatesView {
  return {
    service_point_id: 'p', zone: 'America/Chicago', currency: 'USD', first_day: '2025-11-01', last_day: '2026-10-31',
    months: 12, usage_wh: 8_652_000, coverage: 0.9987, needed: 0.95, estimated_share: 0, left_out: [], unseen: [],
    present: 'a', rates: [rate()], assumptions: [], wish: null, protection: null, next_read: '2026-12-01',
    advice: { kind: 'stay', rate_code: 'a', rate_name: 'Anytime Users', saving: '0.00', year: null, noise: '24.00', reason: '' },
    ...over,
  };
}

describe('the first sentence', () => {
  it('names the rate and what it would have saved', () => {
    const advice = { ...view().advice, kind: 'change' as const, rate_name: 'Smart Savers', saving: '165.52' };
    expect(headline(view({ advice }))).toBe('Smart Savers would have cost you $166 less over the last 12 months.');
    expect(headline(view({ advice, assumptions: ['a car'] }))).toMatch(/^With what you assumed, Smart Savers/);
  });

  it('says stay where nothing saves enough, and why where too little was seen', () => {
    expect(headline(view())).toBe('Stay on Anytime Users: no other rate would have saved you enough to count on.');
    const advice = { ...view().advice, year: { low: '-40.00', high: '90.00' } };
    expect(headline(view({ advice, unseen: ['2026-07-01'], months: 3 }))).toContain('not seen enough of a year');
  });

  it('promises an answer where there is no month yet', () => {
    const advice = { ...view().advice, kind: 'none' as const };
    expect(headline(view({ advice, rates: [] }))).toContain('when a whole month');
    expect(headline(view({ advice }))).toContain('too many gaps');
  });
});

describe('what it rests on', () => {
  it('never rounds coverage up to all', () => {
    expect(percent(0.9989)).toBe('99.8 %');
    expect(percent(0.9987)).toBe('99.8 %');
    expect(percent(1)).toBe('100 %');
  });

  it('says how much is there and how much was estimated', () => {
    expect(basis(view())).toContain('8,652 kWh');
    expect(basis(view())).toContain('none of them estimated');
    expect(basis(view({ estimated_share: 0.031 }))).toContain('3.1 % of the energy is estimated');
  });

  it('lists the months that nobody has seen', () => {
    expect(unseenWords(view({ unseen: ['2026-06-01', '2026-07-01', '2026-08-01'] }))).toContain('June, July and August');
    expect(unseenWords(view())).toBe('');
  });
});

describe('charges without a price', () => {
  it('are said once where every rate lacks the same', () => {
    const fuel = { missing_charges: ['Fuel adjustment charge'] };
    expect(lackedByAll([rate(fuel), rate(fuel), rate({ total: null })])).toEqual(['Fuel adjustment charge']);
    expect(lackedByAll([rate(fuel), rate()])).toEqual([]);
    expect(lackedByAll([])).toEqual([]);
  });
});

describe('amounts', () => {
  it('are whole and without a sign, which the word gives', () => {
    expect(about('-165.52', 'USD')).toBe('$166');
    expect(between('50.89', '126.97', 'USD')).toBe('$51 to $127');
    expect(difference(rate({ is_present: false, more_than_present: '-12.60' }), 'USD')).toBe('$13 less');
    expect(difference(rate({ is_present: false, more_than_present: '3.00' }), 'USD')).toBe('$3 more');
    expect(difference(rate({ refused: 'no' }), 'USD')).toBe('cannot be told');
  });
});

describe('prices and how sure they are', () => {
  it('are in cents below a dollar, and a span where blocks differ', () => {
    expect(price('0.186', '0.186', 'kWh', 'USD')).toBe('18.6 ¢');
    expect(price('0.0714', '0.1062', 'kWh', 'USD')).toBe('7.14 ¢ to 10.62 ¢');
    expect(price('-0.00104', '-0.00104', 'kWh', 'USD')).toBe('−0.104 ¢');
    expect(price('9.28', '9.28', 'kW', 'USD')).toBe('$9.28');
    expect(price('0.19', '0.19', 'month', 'USD')).toBe('$0.19');
    expect(quantity('12.00', 'month')).toBe('12 months');
    expect(quantity('24.318', 'kW')).toBe('24.3 kW');
  });
  it('are said in words', () => {
    expect(confidence('demand prices: low: one source')).toBe('demand prices, low confidence: one source');
    expect(uncertain(['holidays: low: x'])).toBe('holidays');
    expect(uncertain(['a: low: x', 'b: open'])).toBe('a and b');
    expect(uncertain(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c, d and 1 more point');
    expect(confidence('season rule: open: by day')).toBe('season rule, an open question: by day');
  });
});

describe('what would have to be true', () => {
  const found: BreakEvenView = {
    rate_code: 's', rate_name: 'Smart Savers', lever: 'shift', reachable: true, share: 0.45, kwh_per_day: '3.21', kw: '0.00',
    now_kw: '0.00', saving: '24.00',
  };
  it('is a sentence with figures', () => {
    expect(breakEvenWords(found)).toBe(
      'Smart Savers would be better if you moved 3.2 kWh a day (45 % of what you use in its dearest hours) to its cheapest hours.',
    );
    expect(breakEvenWords({ ...found, lever: 'cap', kw: '4.20', now_kw: '8.10' })).toContain('above 4.2 kW');
    expect(breakEvenWords({ ...found, reachable: false })).toContain('would still not be enough');
    expect(breakEvenWords({ ...found, lever: 'none' })).toContain('as things are');
  });
});

describe('the picture', () => {
  const part = { quantity: '1.00', unit: 'kWh', low_price: '0.10', high_price: '0.10' };
  it('has one color for each meaning and leaves out what lowers a cost', () => {
    expect(tone({ ...part, kind: 'energy', name: 'Summer on-peak', amount: '5.00' })).toBe('on');
    const parts = [
      { ...part, kind: 'energy', name: 'Summer off-peak', amount: '5.00' },
      { ...part, kind: 'energy', name: 'Winter off-peak', amount: '6.00' },
      { ...part, kind: 'demand', name: 'Summer', amount: '7.00' },
      { ...part, kind: 'credit', name: 'A credit', amount: '-9.00' },
    ];
    expect(slices(rate({ parts }))).toEqual([{ tone: 'off', amount: 11 }, { tone: 'demand', amount: 7 }]);
  });
});
