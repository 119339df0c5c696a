import { describe, expect, it } from 'vitest';
import { dayTick, rangeOf } from './weather';

describe('the range of temperatures', () => {
  it('is in whole tens around all that was', () => {
    expect(rangeOf([{ low: 71.2, high: 93.9 }, { low: null, high: null }])).toEqual({ bottom: 70, top: 100, ticks: [70, 80, 90, 100] });
  });
  it('goes below zero, and has fewer lines where it is wide', () => {
    expect(rangeOf([{ low: -4, high: 51 }])).toEqual({ bottom: -10, top: 60, ticks: [-10, 10, 30, 50] });
  });
  it('is never flat and never empty', () => {
    expect(rangeOf([{ low: 70, high: 70 }])).toEqual({ bottom: 70, top: 80, ticks: [70, 80] });
    expect(rangeOf([])).toEqual({ bottom: 0, top: 10, ticks: [0, 10] });
  });
});

describe('what stands under a day', () => {
  const days = ['2026-09-29', '2026-09-30', '2026-10-01', '2026-10-02', '2026-10-05'].map((day) => ({ day }));
  it('names the month first and with the first of the next, and nothing so near that it would overlap', () => {
    expect(days.map((_, i) => dayTick(days, i))).toEqual(['29 Sep', '', '1 Oct', '', '']);
    const later = [...days, { day: '2026-10-10' }];
    expect(dayTick(later, 5)).toBe('10');
  });
});
