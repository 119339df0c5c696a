import { describe, expect, it } from 'vitest';
import { peopleFor, reasonsOf, titlesIn } from './switching';

describe('switching', () => {
  it('lets nobody type a list for non-payment', () => {
    expect(reasonsOf.disconnect).not.toContain('non_payment');
  });

  it('lets one person reconnect who has paid or was wrongly cut, and asks two for all else', () => {
    expect(peopleFor('reconnect', 'paid')).toBe(1);
    expect(peopleFor('reconnect', 'wrong_cut')).toBe(1);
    expect(peopleFor('reconnect', 'safety')).toBe(2);
    expect(peopleFor('disconnect', 'test')).toBe(2);
  });

  it('reads pasted titles each once', () => {
    expect(titlesIn(' 4f41 \n4f42, 4f41;\t')).toEqual(['4f41', '4f42']);
  });
});
