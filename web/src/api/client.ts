// One door to the server: the session cookie, the CSRF token on unsafe methods, and errors as documents.
import type { ErrorDocument } from './types';

export class ApiError extends Error {
  readonly status: number;
  readonly document: ErrorDocument;
  /** After how many seconds to ask again; 0 where the server says nothing of it. */
  readonly waitS: number;

  constructor(status: number, document: ErrorDocument, waitS = 0) {
    super(document.message);
    this.status = status;
    this.document = document;
    this.waitS = waitS;
  }
}

const offline: ErrorDocument = {
  code: 'offline',
  message: 'The utility’s server does not answer.',
  mend: 'Check your connection, then try again. Nothing is lost.',
  reference: '',
};

let csrfToken = '';

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

let unasked = false;

/** Fetch for the page, not for the person: such a request keeps no session alive. */
export function inBackground<T>(work: () => T): T {
  unasked = true;
  try {
    return work();
  } finally {
    unasked = false;
  }
}

function isDocument(body: unknown): body is ErrorDocument {
  return typeof body === 'object' && body !== null && 'message' in body && 'mend' in body;
}

async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (unasked) headers['X-Background'] = '1';
  if (method !== 'GET' && csrfToken) headers['X-CSRF-Token'] = csrfToken;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, offline);
  }
  const text = await response.text();
  const parsed: unknown = text ? safeParse(text) : null;
  if (!response.ok) {
    const document = isDocument(parsed) ? parsed : { ...offline, code: `http_${response.status}` };
    throw new ApiError(response.status, document, waitOf(response));
  }
  return parsed as T;
}

function waitOf(response: Response): number {
  const told = Number(response.headers.get('Retry-After') ?? 0);
  return Number.isFinite(told) && told > 0 ? Math.ceil(told) : 0;
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const api = {
  get: <T>(path: string): Promise<T> => send<T>('GET', path),
  post: <T>(path: string, body: unknown): Promise<T> => send<T>('POST', path, body),
  delete: <T>(path: string): Promise<T> => send<T>('DELETE', path),
};
