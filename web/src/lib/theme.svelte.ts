// Light, dark, or as the device says.

export type Theme = 'auto' | 'light' | 'dark';
const key = 'openami-theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto';
  }
}

class ThemeState {
  value = $state<Theme>(stored());

  apply(): void {
    if (this.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.value;
  }

  set(value: Theme): void {
    this.value = value;
    try {
      localStorage.setItem(key, value);
    } catch {
      // A browser that keeps nothing still shows the theme until the page is closed.
    }
    this.apply();
  }
}

export const theme = new ThemeState();
