import { describe, expect, it } from 'vitest';
import { Loaded } from './load.svelte';

function held(): { loaded: Loaded<number>; answer: (value: number) => Promise<void>; asked: () => number } {
  const waiting: ((value: number) => void)[] = [];
  let count = 0;
  const loaded = new Loaded<number>(() => {
    count += 1;
    return new Promise((resolve) => waiting.push(resolve));
  });
  const answer = async (value: number): Promise<void> => {
    waiting.shift()?.(value);
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { loaded, answer, asked: () => count };
}

describe('a value that is loading', () => {
  it('is shown though news come faster than answers', async () => {
    const { loaded, answer, asked } = held();
    void loaded.load();
    for (let i = 0; i < 5; i += 1) void loaded.refresh();
    await answer(1);
    expect(loaded.value).toBe(1);
    expect(asked()).toBe(2);
    await answer(2);
    expect(loaded.value).toBe(2);
    expect(asked()).toBe(2);
  });
  it('drops the answer to a question that was changed', async () => {
    const { loaded, answer } = held();
    void loaded.load();
    void loaded.load();
    await answer(1);
    expect(loaded.value).toBeUndefined();
    await answer(2);
    expect(loaded.value).toBe(2);
  });
});
