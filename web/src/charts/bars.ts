// What a bar chart shows, free of how it came over the wire: both the home's bars and the usage chart draw this.

export type BarState = 'actual' | 'estimated' | 'missing' | 'edited' | 'outage' | 'questionable' | 'preliminary';

export interface Bar {
  /** Start, seconds since the epoch. */
  start: number;
  /** Energy in Wh, or the channel's unit; null where nothing is known. */
  value: number | null;
  state: BarState;
  /** Edges of the uncertainty band of an estimate. */
  low?: number | undefined;
  high?: number | undefined;
  /** Price period as the rate names it. */
  period?: string | undefined;
  /** Cost as decimal text. */
  cost?: string | undefined;
  /** What a usual day shows in this place. */
  usual?: number | undefined;
}

const words: Record<BarState, string> = {
  actual: 'measured',
  estimated: 'estimated',
  missing: 'no reading yet',
  edited: 'corrected by staff',
  outage: 'no power here',
  questionable: 'under review',
  preliminary: 'measured, not checked yet',
};

/** Quality in words: "estimated, between 0.30 and 0.50 kWh". */
export function qualityWords(bar: Bar, amount: (wh: number) => string): string {
  if (bar.state === 'estimated' && bar.low !== undefined && bar.high !== undefined && bar.high > bar.low) {
    return `estimated, between ${amount(bar.low)} and ${amount(bar.high)}`;
  }
  return words[bar.state];
}

/** The top of an axis that starts at zero: 1, 2 or 5 times a power of ten, cut in four or five steps. */
export function niceTop(largest: number): { top: number; step: number } {
  if (!(largest > 0)) return { top: 1, step: 0.25 };
  const raw = largest / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10) * power;
  return { top: Math.ceil(largest / step - 1e-9) * step, step };
}

/** One sentence that says what the picture shows, for those who do not see it. */
export function describe(bars: Bar[], amount: (wh: number) => string, when: (start: number) => string): string {
  const known = bars.filter((b) => b.value !== null);
  if (known.length === 0) return 'No readings in this span yet.';
  const total = known.reduce((sum, b) => sum + (b.value ?? 0), 0);
  const peak = known.reduce((a, b) => ((b.value ?? 0) > (a.value ?? 0) ? b : a));
  const estimated = bars.filter((b) => b.state === 'estimated').length;
  const missing = bars.filter((b) => b.state === 'missing').length;
  const parts = [`${amount(total)} in all, most at ${when(peak.start)} with ${amount(peak.value ?? 0)}`];
  if (estimated) parts.push(`${estimated} of ${bars.length} values estimated`);
  if (missing) parts.push(`${missing} missing`);
  return `${parts.join('; ')}.`;
}

/** Below this width a picture is drawn for a phone. */
export const NARROW_PX = 560;

/** How words under a bar are set: at both ends inward, so that none is cut off at the edge. */
export function tickAnchor(index: number, count: number): 'start' | 'middle' | 'end' {
  if (index === 0) return 'start';
  return index >= count - 2 ? 'end' : 'middle';
}
