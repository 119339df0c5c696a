// Which reasons an action may have, in words: the same table as the head-end's, which judges again.
import type { SwitchActionName, SwitchReasonName } from '../api/types';

export const actionWords: Record<SwitchActionName, string> = {
  disconnect: 'Disconnect',
  reconnect: 'Reconnect',
  limit: 'Limit the load',
};

export const reasonWords: Record<SwitchReasonName, string> = {
  non_payment: 'Non-payment',
  move_out: 'Move-out',
  customer_request: 'Customer’s request',
  safety: 'Safety',
  theft: 'Theft',
  test: 'Test',
  paid: 'Paid',
  wrong_cut: 'Wrongly cut',
};

/** Non-payment is not here for a disconnection: it comes as a signed list and in no other way. */
export const reasonsOf: Record<SwitchActionName, SwitchReasonName[]> = {
  disconnect: ['move_out', 'customer_request', 'safety', 'theft', 'test'],
  reconnect: ['paid', 'wrong_cut', 'customer_request', 'safety', 'theft', 'test'],
  limit: ['non_payment', 'customer_request', 'safety', 'theft', 'test'],
};

/** How many different people an order needs. */
export function peopleFor(action: SwitchActionName, reason: SwitchReasonName): number {
  return action === 'reconnect' && (reason === 'paid' || reason === 'wrong_cut') ? 1 : 2;
}

/** System titles that somebody typed or pasted, each once. */
export function titlesIn(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
