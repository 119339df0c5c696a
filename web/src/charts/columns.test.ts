import { describe, expect, it } from 'vitest';
import type { IntervalsView } from '../api/types';
import { barsOf, spread } from './columns';

const view: IntervalsView = {
  service_point_id: 'a', channel: 'voltage', resolution: 'quarter', zone: 'America/Chicago', unit: 'V', power_of_ten: -1,
  start: [0, 900, 1800], end: 2700, value: [2401, null, 2388],
  quality: [['actual', 1], ['missing', 1], ['estimated', 1]],
  low: [2401, null, 2380], high: [2401, null, 2395], estimated_share: 0.3, missing_share: 0.3, price: null, days: ['1970-01-01'], day_lengths: [24],
  preliminary_from: 0, granted_from: null, granted_to: null,
};

describe('columns', () => {
  it('are scaled by the power of ten', () => {
    expect(barsOf(view)[0]?.value).toBeCloseTo(240.1);
  });
  it('keep a hole a hole', () => {
    expect(barsOf(view)[1]).toMatchObject({ value: null, state: 'missing' });
  });
  it('say preliminary only of what was measured', () => {
    expect(barsOf(view).map((b) => b.state)).toEqual(['preliminary', 'missing', 'estimated']);
  });
  it('spread runs, cut a run that is too long and fill one that is too short', () => {
    expect(spread([['a', 2], ['b', 9]], 4, 'z')).toEqual(['a', 'a', 'b', 'b']);
    expect(spread([['a', 1]], 3, 'z')).toEqual(['a', 'z', 'z']);
  });
});
