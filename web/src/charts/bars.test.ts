import { describe as group, expect, it } from 'vitest';
import { describe, niceTop, qualityWords, type Bar } from './bars';

const amount = (wh: number): string => `${wh} Wh`;

group('axis', () => {
  it.each([
    [0, 1],
    [0.9, 1],
    [730, 800],
    [1001, 1250],
    [9.99, 10],
  ])('for a largest bar of %d ends at %d', (largest, top) => {
    expect(niceTop(largest).top).toBeCloseTo(top);
  });
  it('never ends below the largest bar', () => {
    for (let v = 0.001; v < 1e6; v *= 1.37) expect(niceTop(v).top).toBeGreaterThanOrEqual(v);
  });
});

group('words', () => {
  const bars: Bar[] = [
    { start: 0, value: 100, state: 'actual' },
    { start: 900, value: 300, state: 'estimated', low: 250, high: 350 },
    { start: 1800, value: null, state: 'missing' },
  ];
  it('give the band of an estimate', () => {
    expect(qualityWords(bars[1] as Bar, amount)).toBe('estimated, between 250 Wh and 350 Wh');
  });
  it('describe a day in one sentence', () => {
    expect(describe(bars, amount, (s) => `t${s}`)).toBe(
      '400 Wh in all, most at t900 with 300 Wh; 1 of 3 values estimated; 1 missing.',
    );
  });
  it('say so when nothing is known', () => {
    expect(describe([{ start: 0, value: null, state: 'missing' }], amount, String)).toContain('No readings');
  });
});
