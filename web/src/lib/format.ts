// Numbers, money and times as people read them: units beside them, dates in the customer's zone.

const numberFormats = new Map<number, Intl.NumberFormat>();

export function decimal(value: number, digits: number): string {
  let format = numberFormats.get(digits);
  if (!format) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numberFormats.set(digits, format);
  }
  return format.format(value);
}

export function whole(value: number): string {
  return decimal(value, 0);
}

/** Watt-hours as kWh with a sensible number of digits: 14.2 kWh, 0.34 kWh, 1,204 kWh. */
export function kwh(wh: number): string {
  const value = wh / 1000;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 1 : 2;
  return decimal(value, digits);
}

/** Money that comes as decimal text; it is never turned into a float before it is shown. */
export function money(text: string, currency = 'USD'): string {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (!match) return `${text} ${currency}`;
  const cents = (match[3] ?? '').padEnd(2, '0').slice(0, 2);
  const grouped = (match[2] ?? '0').replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  const symbol = currency === 'USD' ? '$' : `${currency} `;
  return `${match[1] ? '−' : ''}${symbol}${grouped}.${cents}`;
}

/** A value with two digits that count: 12, 3.4, 0.056, 0.00012. */
export function significant(value: number): string {
  if (value === 0) return '0';
  const digits = 1 - Math.floor(Math.log10(Math.abs(value)));
  return decimal(value, Math.min(8, Math.max(0, digits)));
}

/** A share as a percentage with two digits that count, three from a tenth on; what is too little to name is said so. */
export function share(value: number): string {
  const percent = value * 100;
  if (percent > 0 && percent < 0.000001) return 'less than 0.000001 %';
  return `${percent >= 10 && percent < 99.95 ? decimal(percent, 1) : significant(percent)} %`;
}

const dateFormats = new Map<string, Intl.DateTimeFormat>();

function dateFormat(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let format = dateFormats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...options });
    dateFormats.set(key, format);
  }
  return format;
}

function part(parts: Intl.DateTimeFormatPart[], type: string): string {
  return parts.find((p) => p.type === type)?.value ?? '';
}

/** `14:15` */
export function clock(epochS: number, zone: string): string {
  return dateFormat(zone, { hour: '2-digit', minute: '2-digit' }).format(epochS * 1000);
}

/** `Mon 23 Nov` */
export function day(epochS: number, zone: string): string {
  const parts = dateFormat(zone, { weekday: 'short', day: 'numeric', month: 'short' }).formatToParts(epochS * 1000);
  return `${part(parts, 'weekday')} ${part(parts, 'day')} ${part(parts, 'month')}`;
}

/** `Mon 23 Nov, 14:15` */
export function dayAndClock(epochS: number, zone: string): string {
  return `${day(epochS, zone)}, ${clock(epochS, zone)}`;
}

/** `Mon 23 Nov 2026, 14:15`: for what may last over a new year. */
export function dateAndClock(epochS: number, zone: string): string {
  return `${calendarDay(localDate(epochS, zone))}, ${clock(epochS, zone)}`;
}

/** `Mon 23 Nov 2026` for a calendar date `2026-11-23`. */
export function calendarDay(iso: string): string {
  const parts = dateFormat('UTC', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }).formatToParts(
    Date.parse(`${iso}T12:00:00Z`),
  );
  return `${part(parts, 'weekday')} ${part(parts, 'day')} ${part(parts, 'month')} ${part(parts, 'year')}`;
}

/** `November 2026` for `2026-11-01`. */
export function calendarMonth(iso: string): string {
  return dateFormat('UTC', { month: 'long', year: 'numeric' }).format(Date.parse(`${iso.slice(0, 7)}-15T12:00:00Z`));
}

/** The calendar date `2026-11-23` that a zone shows at an instant. */
export function localDate(epochS: number, zone: string): string {
  const parts = dateFormat(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(epochS * 1000);
  return `${part(parts, 'year')}-${part(parts, 'month')}-${part(parts, 'day')}`;
}

/** Move a calendar date by whole days. */
export function addDays(iso: string, days: number): string {
  return new Date(Date.parse(`${iso}T12:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** How long ago, in words. */
export function ago(seconds: number): string {
  if (seconds < 5) return 'just now';
  if (seconds < 90) return `${whole(seconds)} seconds ago`;
  if (seconds < 5400) return `${whole(seconds / 60)} minutes ago`;
  if (seconds < 129_600) return `${whole(seconds / 3600)} hours ago`;
  return `${whole(seconds / 86_400)} days ago`;
}
