// Light, dark, or as the system says; the choice is remembered.

import { recallTheme, rememberTheme } from './memory.js';

const NEXT = { auto: 'light', light: 'dark', dark: 'auto' };
const SCHEME = { auto: 'light dark', light: 'light', dark: 'dark' };

/** Makes the button go through the themes. @param {HTMLButtonElement} button */
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
