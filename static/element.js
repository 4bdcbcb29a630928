// Creates and changes elements, for the parts of the page that draw.

/** @param {string} name @param {string} text @returns {HTMLSpanElement} */
export function span(name, text) {
  const element = document.createElement('span');
  element.className = name;
  element.textContent = text;
  return element;
}

/** @param {string} name @param {string} text @param {() => void} action @returns {HTMLButtonElement} */
export function button(name, text, action) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = name;
  element.textContent = text;
  element.addEventListener('click', action);
  return element;
}

/** Returns a copy of the element in a template of the page. @param {string} id @returns {any} */
export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets a text only when it differs, so that a screen reader does not read it again. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Removes the elements with keys that are not wanted.
 * @template K @param {Map<K, Element>} elements @param {{has(key: K): boolean}} wanted
 */
export function keepOnly(elements, wanted) {
  for (const [key, element] of elements) {
    if (wanted.has(key)) continue;
    element.remove();
    elements.delete(key);
  }
}
