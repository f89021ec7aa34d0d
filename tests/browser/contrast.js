() => { // WCAG 2.2, 1.4.3: 4.5 to 1 for text, 3 to 1 for large text; every visible text node against the ground painted behind it
  const rgba = text => { const n = text.match(/[\d.]+/g)?.map(Number) || [0, 0, 0, 0]; return n.length === 3 ? [...n, 1] : n };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
  const ground = e => { const stack = []; for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3]) stack.push(c); if (c[3] === 1) break } return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]) };
  const out = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
    if (!walk.currentNode.textContent.trim() || !r.width || s.visibility === 'hidden' || e.closest('svg,.vh,.skip,[hidden],dialog:not([open]),script,template,.gone')) continue;
    const under = ground(e), ink = over(rgba(s.color), under), [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), large = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 700;
    if (ratio < (large ? 3 : 4.5)) out.add(`${ratio.toFixed(2)} "${walk.currentNode.textContent.trim().slice(0, 40)}" ${e.className}`);
  }
  return [...out];
}
