// Service levels in words and order: what is worst stands first.
import type { CellLevelView } from '../api/types';
import { decimal } from './format';

/** A share as people read it; never rounded up to 100 %. */
export function share(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const percent = Math.min(value, 1) * 100;
  return `${decimal(percent < 100 ? Math.min(Math.floor(percent * 10) / 10, 99.9) : 100, 1)} %`;
}

/** How a share stands to its aim: `met`, `near` (half a point below at most), `below`, or `none` where nothing was due. */
export function grade(value: number | null | undefined, target: number): 'met' | 'near' | 'below' | 'none' {
  if (value === null || value === undefined) return 'none';
  if (value >= target) return 'met';
  return value >= target - 0.005 ? 'near' : 'below';
}

/** Cells with the lowest share at the oldest age first, then by name. */
export function worstFirst(cells: readonly CellLevelView[]): CellLevelView[] {
  const oldest = (row: CellLevelView): number => {
    const known = row.completeness.filter((value): value is number => value !== null);
    return known.at(-1) ?? 1;
  };
  return [...cells].sort((a, b) => oldest(a) - oldest(b) || a.cell.localeCompare(b.cell));
}
