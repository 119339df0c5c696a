// The address bar as state: path, query, and a push that keeps the page's focus in order.

export interface Route {
  path: string;
  query: URLSearchParams;
}

function read(): Route {
  return { path: window.location.pathname, query: new URLSearchParams(window.location.search) };
}

let current = $state.raw<Route>(read());

export const route = {
  get path(): string {
    return current.path;
  },
  get query(): URLSearchParams {
    return current.query;
  },
};

window.addEventListener('popstate', () => {
  current = read();
});

/** Go to an address of ours. `replace` keeps the history short while someone zooms a chart. */
export function go(address: string, options: { replace?: boolean } = {}): void {
  if (options.replace) window.history.replaceState({}, '', address);
  else window.history.pushState({}, '', address);
  const before = current.path;
  current = read();
  if (current.path !== before) {
    window.scrollTo({ top: 0 });
    document.getElementById('main')?.focus({ preventScroll: true });
  }
}

/** Let plain clicks on our own links stay inside the page. */
export function keepInside(event: MouseEvent): void {
  const link = (event.target as Element).closest('a');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
  if (link.pathname.startsWith('/api/')) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** Match `/usage/:id` against a path; returns the named parts or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return null;
  const parts: Record<string, string> = {};
  for (let i = 0; i < want.length; i += 1) {
    const w = want[i] ?? '';
    const h = have[i] ?? '';
    if (w.startsWith(':')) parts[w.slice(1)] = decodeURIComponent(h);
    else if (w !== h) return null;
  }
  return parts;
}
