() => { // what leaves the page, is cut off without a way to it, or is too small to press (a title in a table has its row around it)
  const out = [], wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) out.push(`page is ${wide} wide`);
  for (const x of document.querySelectorAll('main *, header *, footer *')) {
      const s = getComputedStyle(x), r = x.getBoundingClientRect();
      if (!r.width || s.visibility === 'hidden' || x.closest('svg,.vh,dialog,.menu,.skip')) continue;
      const what = `${x.tagName}.${x.className} "${x.textContent.trim().slice(0, 30)}"`;
      if (s.overflowX === 'visible' && s.display !== 'inline' && x.clientWidth && x.scrollWidth > x.clientWidth + 1 && !x.closest('.tabs,.scrollx'))
          out.push(`spills: ${what} ${x.scrollWidth}>${x.clientWidth}`);
      if (x.matches('a,button,select,summary,input:not([type=checkbox]):not([type=radio]):not([type=hidden])') && !x.matches('td a.t') && s.display !== 'inline' && r.height < 23.5)
          out.push(`too small: ${what} ${r.height}`);
  }
  return out;}
