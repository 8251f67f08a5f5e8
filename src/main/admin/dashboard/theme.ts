/**
 * Owns light and dark: the system's choice, or the reader's, which the browser remembers. Loaded before the page is
 * shown. Browser.
 */

const STORAGE_KEY = 'paw-p2p-theme';
const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const changed = new EventTarget();
let theme: Theme = remembered();

function remembered(): Theme {
  try {
    return themes.find((one) => one === localStorage.getItem(STORAGE_KEY)) ?? 'system';
  } catch {
    // A browser that keeps nothing.
    return 'system';
  }
}

function apply(): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  changed.dispatchEvent(new Event('change'));
}

/** Calls `listener` whenever colours change. */
export function onThemeChange(listener: () => void): void {
  changed.addEventListener('change', listener);
  systemIsDark.addEventListener('change', listener);
}

/** Makes a button go through the themes. */
export function showThemeButton(button: HTMLButtonElement): void {
  const show = (): void => {
    button.textContent = `Theme: ${theme}`;
  };
  button.addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length]!;
    try {
      localStorage.setItem(STORAGE_KEY, theme);
    } catch {
      // It holds for as long as the page is open.
    }
    apply();
    show();
  });
  show();
}

apply();
