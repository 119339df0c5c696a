// Who is signed in, the server's two clocks, and the customer's places.
import { api, ApiError, setCsrfToken } from '../api/client';
import type { ServicePointsView, ServicePointView, SessionView } from '../api/types';

class SessionState {
  view = $state.raw<SessionView | null>(null);
  places = $state.raw<ServicePointView[]>([]);
  known = $state(false);
  /** Domain time at which `view` was taken, and the browser's clock then: the pair that lets time run on. */
  private takenAt = 0;
  tick = $state(Date.now());

  constructor() {
    setInterval(() => {
      this.tick = Date.now();
    }, 1000);
  }

  /** Domain time now, seconds since the epoch. */
  get now(): number {
    const view = this.view;
    if (!view) return this.tick / 1000;
    return view.domain_now + ((this.tick - this.takenAt) / 1000) * view.speed;
  }

  get place(): ServicePointView | undefined {
    return this.places[0];
  }

  async load(): Promise<void> {
    try {
      await this.take(await api.get<SessionView>('/session'));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.forget();
    } finally {
      this.known = true;
    }
  }

  async signIn(login: string, password: string): Promise<void> {
    await this.take(await api.post<SessionView>('/session', { login, password }));
  }

  async signOut(): Promise<void> {
    try {
      await api.delete('/session');
    } finally {
      this.forget();
    }
  }

  forget(): void {
    this.view = null;
    this.places = [];
    setCsrfToken('');
  }

  private async take(view: SessionView): Promise<void> {
    setCsrfToken(view.csrf_token);
    this.takenAt = Date.now();
    this.tick = this.takenAt;
    if (!view.is_staff) this.places = (await api.get<ServicePointsView>('/me/service-points')).service_points;
    this.view = view;
  }
}

export const session = new SessionState();
