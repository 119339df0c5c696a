import { describe, expect, it } from 'vitest';
import { asked, changed, days, moveOf, rowAfter } from './worklist';

const key = (name: string, more: Partial<KeyboardEvent> = {}) =>
  ({ key: name, ctrlKey: false, altKey: false, metaKey: false, ...more }) as KeyboardEvent;

describe('the worklist', () => {
  it('asks for what the address names and nothing else', () => {
    const query = new URLSearchParams('severity=fail&rule=spike&rule=stuck&cell=&evil=1&cases=false');
    expect(asked(query)).toBe('severity=fail&rule=spike&rule=stuck&limit=100');
  });

  it('keeps the other filters when one changes, and begins at the first page', () => {
    const query = new URLSearchParams('severity=fail&cell=C-7&offset=200');
    expect(changed(query, 'cell', 'C-8')).toBe('/worklist?severity=fail&cell=C-8');
    expect(changed(query, 'severity', '')).toBe('/worklist?cell=C-7');
    expect(changed(query, 'offset', '300')).toBe('/worklist?severity=fail&cell=C-7&offset=300');
    expect(changed(new URLSearchParams('offset=100'), 'offset', '0')).toBe('/worklist');
  });

  it('moves by arrows and letters and leaves the browser its own keys', () => {
    expect(moveOf(key('j'))).toBe('next');
    expect(moveOf(key('Enter'))).toBe('open');
    expect(moveOf(key('a', { ctrlKey: true }))).toBe('none');
    expect(rowAfter('next', 4, 5)).toBe(4);
    expect(rowAfter('previous', 0, 5)).toBe(0);
    expect(rowAfter('last', 0, 5)).toBe(4);
    expect(rowAfter('choose', 3, 5)).toBe(3);
  });

  it('says one day alone and several as a span', () => {
    expect(days('2026-03-06', '2026-03-06', (d) => d)).toBe('2026-03-06');
    expect(days('2026-03-06', '2026-03-08', (d) => d)).toBe('2026-03-06 to 2026-03-08');
  });
});
