import { describe, expect, it } from 'vitest';
import { closer, farther, moved, spanOf } from './zoom';

describe('levels', () => {
  it.each([
    ['day', '2026-03-08', '2026-03-08', '2026-03-08', 'quarter'],
    ['week', '2026-11-01', '2026-10-26', '2026-11-01', 'hour'],
    ['month', '2028-02-11', '2028-02-01', '2028-02-29', 'day'],
    ['year', '2026-11-23', '2025-12-01', '2026-11-30', 'month'],
  ] as const)('a %s around %s runs from %s to %s by %s', (level, day, from, to, resolution) => {
    expect(spanOf(level, day)).toEqual({ from, to, resolution });
  });
  it('move by their own length', () => {
    expect(moved('month', '2026-01-31', -1)).toBe('2025-12-01');
    expect(moved('year', '2026-11-23', 1)).toBe('2027-11-01');
    expect(moved('day', '2026-03-01', -1)).toBe('2026-02-28');
  });
  it('stop at both ends', () => {
    expect(closer('day')).toBe('day');
    expect(farther('year')).toBe('year');
  });
});
