import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError, api } from '../api/client';
import { LONGEST_WAIT_S, MOST_RETRIES, retriesBy, waitWords } from './waiting';

const document = { code: 'too_many_requests', message: 'You have asked for a lot at once.', mend: 'Wait.', reference: '' };

describe('a page that is told to wait', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('reads from the answer how long', async () => {
    vi.stubGlobal('fetch', () =>
      Promise.resolve(new Response(JSON.stringify(document), { status: 429, headers: { 'Retry-After': '7' } })),
    );
    const error = await api.get('/x').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).waitS).toBe(7);
  });
  it('asks again by itself a few times, and after that waits for the person', () => {
    const error = new ApiError(429, document, 5);
    expect([0, 1, MOST_RETRIES - 1, MOST_RETRIES].map((n) => retriesBy(error, n))).toEqual([true, true, true, false]);
  });
  it('never asks again by itself after another error, without a time, or after a long one', () => {
    expect(retriesBy(new ApiError(503, document, 5), 0)).toBe(false);
    expect(retriesBy(new ApiError(429, document), 0)).toBe(false);
    expect(retriesBy(new ApiError(429, document, LONGEST_WAIT_S + 1), 0)).toBe(false);
  });
  it('says one second as one', () => {
    expect([waitWords(1), waitWords(5)]).toEqual(['1 second', '5 seconds']);
  });
  it('takes a time that is no number for none', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('{}', { status: 429, headers: { 'Retry-After': 'Mon' } })));
    const error = await api.get('/x').catch((e: unknown) => e);
    expect((error as ApiError).waitS).toBe(0);
  });
});
