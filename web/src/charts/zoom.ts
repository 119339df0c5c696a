// Levels of the usage chart: a year of months, a month of days, a week of hours, a day of quarter-hours.
import type { Resolution } from '../api/types';
import { addDays } from '../lib/format';

export type Level = 'day' | 'week' | 'month' | 'year';

export const levels: Level[] = ['day', 'week', 'month', 'year'];

export interface Span {
  /** First local day. */
  from: string;
  /** Last local day, included, as people read it. */
  to: string;
  resolution: Resolution;
}

function monthStart(iso: string): string {
  return `${iso.slice(0, 7)}-01`;
}

function addMonths(iso: string, months: number): string {
  const index = Number(iso.slice(0, 4)) * 12 + Number(iso.slice(5, 7)) - 1 + months;
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}-01`;
}

/** The days a level shows around a day. A week begins on Monday; a year is the twelve months that end with this one. */
export function spanOf(level: Level, day: string): Span {
  if (level === 'day') return { from: day, to: day, resolution: 'quarter' };
  if (level === 'week') {
    const monday = addDays(day, -((new Date(`${day}T12:00:00Z`).getUTCDay() + 6) % 7));
    return { from: monday, to: addDays(monday, 6), resolution: 'hour' };
  }
  if (level === 'month') {
    const first = monthStart(day);
    return { from: first, to: addDays(addMonths(first, 1), -1), resolution: 'day' };
  }
  const last = monthStart(day);
  return { from: addMonths(last, -11), to: addDays(addMonths(last, 1), -1), resolution: 'month' };
}

/** The same level, one span earlier (-1) or later (+1). */
export function moved(level: Level, day: string, by: number): string {
  if (level === 'day') return addDays(day, by);
  if (level === 'week') return addDays(day, 7 * by);
  if (level === 'month') return addMonths(monthStart(day), by);
  return addMonths(monthStart(day), 12 * by);
}

export function closer(level: Level): Level {
  return levels[Math.max(0, levels.indexOf(level) - 1)] ?? 'day';
}

export function farther(level: Level): Level {
  return levels[Math.min(levels.length - 1, levels.indexOf(level) + 1)] ?? 'year';
}
