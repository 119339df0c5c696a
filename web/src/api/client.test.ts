import { afterEach, describe, expect, it, vi } from 'vitest';
import { api, inBackground } from './client';

describe('a request that the page makes by itself', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('says so, and the next one that a person makes does not', async () => {
    const seen: (string | undefined)[] = [];
    vi.stubGlobal('fetch', (_path: string, init: { headers: Record<string, string> }) => {
      seen.push(init.headers['X-Background']);
      return Promise.resolve(new Response('{}'));
    });
    await Promise.all([inBackground(() => api.get('/staff/now')), api.get('/staff/now')]);
    expect(seen).toEqual(['1', undefined]);
  });
});
