// A value that is loading, here, or failed; loading again keeps the old value on the screen.
import { ApiError, inBackground } from '../api/client';
import { session } from './session.svelte';

export class Loaded<T> {
  value = $state.raw<T | undefined>(undefined);
  error = $state.raw<ApiError | undefined>(undefined);
  busy = $state(false);
  private turn = 0;
  private stale = false;
  private readonly fetch: () => Promise<T>;

  constructor(fetch: () => Promise<T>) {
    this.fetch = fetch;
  }

  /** Something new has come: load again, after what is under way. News that come faster than answers never starve. */
  async refresh(): Promise<void> {
    if (this.busy) this.stale = true;
    else await this.load(true);
  }

  /** What is asked for has changed: an answer to the earlier question is dropped. */
  async load(unasked = false): Promise<void> {
    const mine = ++this.turn;
    this.busy = true;
    try {
      const value = await (unasked ? inBackground(this.fetch) : this.fetch());
      if (mine !== this.turn) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (mine !== this.turn) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) session.forget();
      this.error = error;
    } finally {
      if (mine === this.turn) {
        this.busy = false;
        if (this.stale && !this.error) {
          this.stale = false;
          void this.load(true);
        }
      }
    }
  }
}
