// Waits for a condition in this process, without requests.

import { DEADLINE } from '../../sdk/harness/wait.mjs';

/**
 * Waits until a condition holds.
 * @param {() => boolean} holds @param {() => string} what the condition in words, for the error
 * @param {number} [deadline] in milliseconds
 */
export function until(holds, what, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  return new Promise((resolve, reject) => {
    const check = () => {
      if (holds()) resolve();
      else if (performance.now() > end) reject(new Error(`never: ${what()}`));
      else setTimeout(check, 10);
    };
    check();
  });
}
