() => { // what somebody who does not see the page needs
  const out = [], name = e => (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent || e.title || '').trim();
  if (!document.documentElement.lang) out.push('no language');
  if (document.querySelectorAll('h1').length !== 1) out.push('not one h1');
  if (!document.title) out.push('no title');
  for (const e of document.querySelectorAll('a[href],button,summary,select,textarea,input:not([type=hidden])')) if (!name(e)) out.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  for (const e of document.querySelectorAll('svg')) if (e.getAttribute('aria-hidden') !== 'true') out.push('an svg is read out');
  for (const e of document.querySelectorAll('thead th')) if (!e.scope && !e.closest('.vh')) out.push('th without scope');
  for (const e of document.querySelectorAll('[aria-labelledby],[aria-describedby]')) for (const a of ['aria-labelledby', 'aria-describedby'])
      for (const id of (e.getAttribute(a) || '').split(' ').filter(Boolean)) if (!document.getElementById(id)) out.push(`${a} names nothing: ${id}`);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id), twice = ids.filter((id, n) => ids.indexOf(id) !== n);
  if (twice.length) out.push(`ids twice: ${twice}`);
  return out;}
