// The theme: light, dark, or that of the system. The browser remembers the choice.

import { recallTheme, rememberTheme } from './memory.js';

const NEXT = { auto: 'light', light: 'dark', dark: 'auto' };
const SCHEME = { auto: 'light dark', light: 'light', dark: 'dark' };

/** Connects the button that switches to the next theme. @param {HTMLButtonElement} button */
export function wireTheme(button) {
  const apply = (theme) => {
    document.documentElement.style.colorScheme = SCHEME[theme];
    button.dataset.theme = theme;
    button.setAttribute('aria-label', `Theme: ${theme}. Change to ${NEXT[theme]}`);
    button.title = `Theme: ${theme}`;
  };
  button.addEventListener('click', () => {
    const theme = NEXT[recallTheme()];
    rememberTheme(theme);
    apply(theme);
  });
  apply(recallTheme());
}
