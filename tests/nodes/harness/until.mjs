// Waiting for what is seen in this process, without a question to anybody.

import { DEADLINE } from '../../sdk/harness/wait.mjs';

/**
 * Waits until something holds.
 * @param {() => boolean} holds @param {() => string} what in words, if it never does
 * @param {number} [deadline] in milliseconds
 */
export function until(holds, what, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (holds()) resolve();
      else if (performance.now() > end) reject(new Error(`never: ${what()}`));
      else setTimeout(look, 10);
    };
    look();
  });
}
