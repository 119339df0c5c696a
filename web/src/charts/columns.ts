// From columns as they come over the wire to bars as they are drawn.
import type { HomeView, IntervalsView, Quality } from '../api/types';
import type { Bar, BarState } from './bars';

/** Spread run lengths over n places. */
export function spread<T>(runs: readonly (readonly [T, number])[], n: number, rest: T): T[] {
  const out: T[] = [];
  for (const [value, count] of runs) for (let i = 0; i < count && out.length < n; i += 1) out.push(value);
  while (out.length < n) out.push(rest);
  return out;
}

export function barsOfHome(today: HomeView['today']): Bar[] {
  const quality = spread<Quality>(today.quality as [Quality, number][], today.start.length, 'missing');
  return today.start.map((start, i) => ({
    start,
    value: today.value_wh[i] ?? null,
    state: quality[i] as BarState,
    usual: today.usual_wh[i] ?? undefined,
  }));
}

export function barsOf(view: IntervalsView): Bar[] {
  const n = view.start.length;
  const quality = spread<Quality>(view.quality as [Quality, number][], n, 'missing');
  const periods = view.price ? spread<number>(view.price.period as [number, number][], n, 0) : null;
  const factor = 10 ** view.power_of_ten;
  const scaled = (value: number | null | undefined): number | undefined =>
    value === null || value === undefined ? undefined : value * factor;
  return view.start.map((start, i) => {
    const preliminary = view.preliminary_from !== null && start >= view.preliminary_from && quality[i] === 'actual';
    const cost = view.price?.cost?.[i];
    return {
      start,
      value: scaled(view.value[i]) ?? null,
      state: preliminary ? 'preliminary' : (quality[i] as BarState),
      low: scaled(view.low?.[i]),
      high: scaled(view.high?.[i]),
      period: periods ? view.price?.period_names[periods[i] ?? 0] : undefined,
      cost: cost === null || cost === undefined ? undefined : cost.toFixed(2),
    };
  });
}
