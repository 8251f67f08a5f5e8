/**
 * Owns the few ways in which the page touches the document: nothing is ever parsed as HTML. Browser.
 */

/** The element of the page with this ID. @throws when the page has none of this kind: page and code don't fit */
export function byId<T extends Element>(id: string, kind: { new (): T }): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/** Changes the text only where it is another, and keeps the node that holds it: what does not change costs no layout. */
export function setText(element: Element, text: string): void {
  const { firstChild: only } = element;
  if (!(only instanceof Text) || only !== element.lastChild) element.textContent = text;
  else if (only.data !== text) only.data = text;
}

export function setTextOf(id: string, text: string): void {
  setText(byId(id, HTMLElement), text);
}

/** A `data-` attribute, for the style sheet. */
export function mark(element: HTMLElement, name: string, value: string): void {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  text = '',
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}

/**
 * Makes `wanted` the children of `parent`, in this order. Whichever has the focus is not moved, since a moved element
 * loses it: the others move around it.
 */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  const focused = wanted.find((element) => element.contains(document.activeElement));
  let next = parent.firstElementChild;
  for (const element of wanted) {
    if (element === focused && element !== next && element.parentElement === parent) {
      while (next !== element) {
        const passed: Element = next!;
        next = passed.nextElementSibling;
        parent.append(passed);
      }
    }
    if (element === next) next = element.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}
