import { describe, expect, it } from 'vitest';
import { highestShare, lowestShare, marks, place } from './scale';

describe('the scale of shares', () => {
  it('has its ends at 0 and 1 and holds what lies beyond', () => {
    expect(place(lowestShare)).toBe(0);
    expect(place(highestShare)).toBe(1);
    expect(place(0)).toBe(0);
    expect(place(50)).toBe(1);
  });

  it('takes the same step for every ten times', () => {
    const steps = marks.slice(1).map((mark, i) => place(mark) - place(marks[i] ?? 0));
    for (const step of steps) expect(step).toBeCloseTo(steps[0] ?? 0, 10);
  });
});
