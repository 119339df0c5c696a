// Scales of the picture of temperatures.
import type { WeatherDay } from '../api/types';

export interface AirRange {
  bottom: number;
  top: number;
  ticks: number[];
}

/** The range of temperatures, in whole steps of ten: two or more lines, no axis from zero, for zero is no floor here. */
export function rangeOf(days: Pick<WeatherDay, 'low' | 'high'>[]): AirRange {
  const told = days.flatMap((d) => [d.low, d.high]).filter((v): v is number => v !== null);
  const low = told.length ? Math.min(...told) : 0;
  const high = told.length ? Math.max(...told) : 10;
  const bottom = Math.floor(low / 10) * 10;
  const top = Math.max(bottom + 10, Math.ceil(high / 10) * 10);
  const step = top - bottom > 40 ? 20 : 10;
  const ticks = [];
  for (let tick = bottom; tick <= top; tick += step) ticks.push(tick);
  return { bottom, top, ticks };
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What stands under a day: its month with the first of it, and every fifth day where there is room. */
export function dayTick(days: { day: string }[], index: number): string {
  const iso = days[index]?.day ?? '';
  const number = Number(iso.slice(8));
  if (index === 0 || number === 1) return `${number} ${MONTHS[Number(iso.slice(5, 7)) - 1] ?? ''}`;
  const isNear = (n: number): boolean => index < 5 || n > 28;
  return number % 5 === 0 && !isNear(number) ? String(number) : '';
}
