import { describe, expect, it } from 'vitest';
import { addDays, calendarDay, clock, dateAndClock, dayAndClock, kwh, localDate, money, share, significant } from './format';

const zone = 'America/Chicago';

describe('money', () => {
  it.each([
    ['1234.5', '$1,234.50'],
    ['-0.07', '−$0.07'],
    ['9', '$9.00'],
    ['1000000.129', '$1,000,000.12'],
  ])('prints %s as %s without passing through a float', (text, printed) => {
    expect(money(text)).toBe(printed);
  });
});

describe('energy', () => {
  it.each([
    [340, '0.34'],
    [14_180, '14.2'],
    [1_204_000, '1,204'],
    [0, '0.00'],
  ])('prints %d Wh as %s kWh', (wh, printed) => {
    expect(kwh(wh)).toBe(printed);
  });
});

describe('times', () => {
  it('shows both one-o-clocks of the 25-hour day as the zone does', () => {
    const first = Date.UTC(2026, 10, 1, 6, 15) / 1000;
    expect(clock(first, zone)).toBe('01:15');
    expect(clock(first + 3600, zone)).toBe('01:15');
  });
  it('names a day in the customer zone, not in UTC', () => {
    const lateEvening = Date.UTC(2026, 10, 24, 4, 30) / 1000;
    expect(dayAndClock(lateEvening, zone)).toBe('Mon 23 Nov, 22:30');
    expect(localDate(lateEvening, zone)).toBe('2026-11-23');
  });
  it('names the year of what may last over one', () => {
    expect(dateAndClock(Date.UTC(2027, 0, 1, 4, 30) / 1000, zone)).toBe('Thu 31 Dec 2026, 22:30');
  });
  it('walks over a month edge and a leap day', () => {
    expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
    expect(addDays('2026-11-01', -1)).toBe('2026-10-31');
    expect(calendarDay('2026-11-23')).toBe('Mon 23 Nov 2026');
  });
});

describe('shares of a limit', () => {
  it('keeps two digits that count, however little it is', () => {
    expect([12.34, 3.44, 0.0561, 0.000123, 0].map(significant)).toEqual(['12', '3.4', '0.056', '0.00012', '0']);
    expect([1.3, 0.105, 0.0231, 0.00000582, 1e-9].map(share)).toEqual(['130 %', '10.5 %', '2.3 %', '0.00058 %', 'less than 0.000001 %']);
  });
});
