// What a page does when it is told to wait: it asks again by itself, a few times, and says when.
import type { ApiError } from '../api/client';

export const MOST_RETRIES = 3;
/** Longer than this nobody watches a page: the button is enough. */
export const LONGEST_WAIT_S = 60;
const TOO_MANY = 429;

/** Whether a page asks again by itself after an error. */
export function retriesBy(error: ApiError, tries: number): boolean {
  return error.status === TOO_MANY && error.waitS > 0 && error.waitS <= LONGEST_WAIT_S && tries < MOST_RETRIES;
}

export function waitWords(seconds: number): string {
  return seconds === 1 ? '1 second' : `${seconds} seconds`;
}
