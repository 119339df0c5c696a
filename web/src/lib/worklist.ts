// The worklist's filter as the address bar holds it, and what its keys do.

export const FILTERS = ['severity', 'rule', 'place', 'cell', 'feeder', 'bill_before', 'min_kwh', 'order', 'cases', 'offset'] as const;
export const PAGE = 100;

/** What the server is asked for: the known filters of an address, empty ones left out. */
export function asked(query: URLSearchParams): string {
  const out = new URLSearchParams();
  for (const name of FILTERS) {
    for (const value of query.getAll(name)) if (value !== '' && value !== 'false') out.append(name, value);
  }
  out.set('limit', String(PAGE));
  return out.toString();
}

/** The address of a filter with one value changed; a change begins at the first page. */
export function changed(query: URLSearchParams, name: (typeof FILTERS)[number], value: string): string {
  const out = new URLSearchParams();
  for (const known of FILTERS) {
    if (known === name || (known === 'offset' && name !== 'offset')) continue;
    for (const kept of query.getAll(known)) if (kept !== '') out.append(known, kept);
  }
  if (value !== '' && value !== 'false' && !(name === 'offset' && value === '0')) out.set(name, value);
  const text = out.toString();
  return text ? `/worklist?${text}` : '/worklist';
}

export type Move = 'next' | 'previous' | 'first' | 'last' | 'choose' | 'open' | 'accept' | 'estimate' | 'none';

const keys: Record<string, Move> = {
  ArrowDown: 'next',
  j: 'next',
  ArrowUp: 'previous',
  k: 'previous',
  Home: 'first',
  End: 'last',
  x: 'choose',
  o: 'open',
  Enter: 'open',
  a: 'accept',
  e: 'estimate',
};

/** What a key in the list asks for; a key with Ctrl, Alt or Meta is the browser's. */
export function moveOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'altKey' | 'metaKey'>): Move {
  if (event.ctrlKey || event.altKey || event.metaKey) return 'none';
  return keys[event.key] ?? 'none';
}

/** The row that a move leads to. */
export function rowAfter(move: Move, row: number, rows: number): number {
  if (move === 'next') return Math.min(row + 1, rows - 1);
  if (move === 'previous') return Math.max(row - 1, 0);
  if (move === 'first') return 0;
  if (move === 'last') return rows - 1;
  return row;
}

/** `Fri 6 Mar` to `Sun 8 Mar` in one; one day stands alone. */
export function days(first: string, last: string, word: (iso: string) => string): string {
  return first === last ? word(first) : `${word(first)} to ${word(last)}`;
}
