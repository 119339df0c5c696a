import { describe, expect, it } from 'vitest';
import type { CellLevelView } from '../api/types';
import { grade, share, worstFirst } from './levels';

const cell = (name: string, ...completeness: (number | null)[]): CellLevelView => ({
  cell: name, completeness, due: completeness.map(() => 96), registers_due: 0, registers_read: 0, recovering: 0, given_up: 0,
});

describe('service levels', () => {
  it.each([
    [1, '100.0 %'],
    [0.99999, '99.9 %'],
    [0.9955, '99.5 %'],
    [0, '0.0 %'],
    [null, '–'],
  ])('shows %s as %s and never rounds up to all', (value, words) => expect(share(value)).toBe(words));

  it.each([
    [0.995, 'met'],
    [0.9949, 'near'],
    [0.98, 'below'],
    [null, 'none'],
  ])('grades %s as %s against 99.5 %%', (value, word) => expect(grade(value, 0.995)).toBe(word));

  it('puts the worst cell first and a cell with nothing due last', () => {
    const cells = [cell('C', null, null), cell('B', 0.9, 1), cell('A', 1, 0.8)];
    expect(worstFirst(cells).map((c) => c.cell)).toEqual(['A', 'B', 'C']);
  });
});
