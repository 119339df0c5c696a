// Keep a page of the console fresh: every so often, and when the network says that something changed.
import { live } from './live.svelte';
import type { Loaded } from './load.svelte';

/** Load now and keep loading until the returned function is called. */
export function keepFresh<T>(data: Loaded<T>, everyMs: number): () => void {
  void data.load();
  const steady = setInterval(() => void data.refresh(), everyMs);
  const off = live.on((event) => void (event.kind === 'staff' && data.refresh()));
  return () => {
    clearInterval(steady);
    off();
  };
}
