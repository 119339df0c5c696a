// Which of the customer's places the pages speak of.
import type { ServicePointView } from '../api/types';
import { session } from './session.svelte';

class Places {
  private id = $state<string | null>(null);

  get all(): ServicePointView[] {
    return session.places;
  }

  get chosen(): ServicePointView | undefined {
    return session.places.find((p) => p.service_point_id === this.id) ?? session.places[0];
  }

  choose(id: string): void {
    this.id = id;
  }
}

export const places = new Places();
