// Server-sent events: what changed, pushed. A page that has heard nothing for a while says that it is stale.

export interface LiveEvent {
  kind: string;
  data: Record<string, unknown>;
}

type Listener = (event: LiveEvent) => void;

const kinds = ['clock', 'reading', 'staff', 'bill', 'ended'];
const staleAfterMs = 45_000;

class Live {
  heardAt = $state(Date.now());
  tick = $state(Date.now());
  private source: EventSource | undefined;
  private readonly listeners = new Set<Listener>();

  constructor() {
    setInterval(() => {
      this.tick = Date.now();
    }, 5000);
  }

  get stale(): boolean {
    return this.source !== undefined && this.tick - this.heardAt > staleAfterMs;
  }

  open(): void {
    if (this.source || typeof EventSource === 'undefined') return;
    const source = new EventSource('/api/v1/events');
    this.source = source;
    this.heardAt = Date.now();
    for (const kind of kinds) {
      source.addEventListener(kind, (message) => {
        this.heardAt = Date.now();
        let data: Record<string, unknown> = {};
        try {
          data = JSON.parse((message as MessageEvent<string>).data) as Record<string, unknown>;
        } catch {
          // An event that cannot be read still shows that the line is alive.
        }
        for (const listener of this.listeners) listener({ kind, data });
      });
    }
  }

  close(): void {
    this.source?.close();
    this.source = undefined;
  }

  /** Listen until the returned function is called. */
  on(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export const live = new Live();
