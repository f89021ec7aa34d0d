/* Canh: theme, keyboard, selection, clocks, live updates, dialogs. Loaded in <head> so that the theme is set before first paint. */
(() => {
  'use strict';
  const root = document.documentElement;
  const $ = (selector, inside = document) => inside.querySelector(selector);
  const $$ = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const word = (name, value = '') => (document.body.dataset[name] || '').replace('{}', value);
  const remember = (name, value) => { document.cookie = `__Host-canh-${name}=${value}; Secure; Path=/; SameSite=Strict; Max-Age=31536000` };
  if (!root.dataset.theme) root.dataset.theme = matchMedia('(prefers-color-scheme:dark)').matches ? 'dark' : 'light';

  /* --- time: the server's clock decides, the browser only ticks --- */
  let skew = 0; // seconds the server is ahead of this machine
  const now = () => Date.now() / 1000 + skew;
  const two = n => String(n).padStart(2, '0');
  const hms = s => `${two(s / 3600 | 0)}:${two((s / 60 | 0) % 60)}:${two((s | 0) % 60)}`;
  const zone = () => ({ timeZone: document.body.dataset.tz || 'UTC', hourCycle: 'h23' });
  const minute = s => new Date(s * 1000).toLocaleTimeString('en-GB', { ...zone(), hour: '2-digit', minute: '2-digit' });
  const second = s => new Date(s * 1000).toLocaleTimeString('en-GB', { ...zone(), hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const tick = () => {
    for (const clock of $$('[data-due]')) {
      const left = clock.dataset.due - now(), over = left < 0, warn = !over && now() >= +clock.dataset.warn;
      if (over && !clock.classList.contains('over') && clock.closest('tr')) say(`${$('a.t', clock.closest('tr')).textContent} ${word('late')}`);
      clock.classList.toggle('over', over); clock.classList.toggle('warn', warn);
      $('.tx', clock).textContent = word(over ? 'over' : 'left', hms(Math.abs(left)));
    }
    const wall = $('#clock');
    if (wall) { const d = new Date(now() * 1000); wall.textContent = `${d.toLocaleDateString('en-GB', zone())} ${second(now())}` }
    watchSession();
  };

  /* --- announcements: at most one in 10 s --- */
  let spoken = 0, waiting = '';
  const say = text => {
    waiting = text;
    const wait = Math.max(0, spoken + 10000 - Date.now());
    setTimeout(() => { if (!waiting) return; const region = $('#say'); if (region) region.textContent = waiting; waiting = ''; spoken = Date.now() }, wait);
  };

  /* --- rows: one in the tab order, selection, bulk bar --- */
  let cursor = '';
  const rows = () => $$('tr[data-row]');
  const at = () => rows().findIndex(row => row.dataset.id === cursor);
  const point = row => { cursor = row ? row.dataset.id : ''; for (const r of rows()) { r.tabIndex = r === row ? 0 : -1; r.classList.toggle('cur', r === row) } };
  const go = index => {
    const all = rows(); if (!all.length) return;
    const row = all[Math.max(0, Math.min(all.length - 1, index))];
    point(row); row.focus({ preventScroll: true }); row.scrollIntoView({ block: 'nearest' });
  };
  const picked = () => rows().filter(row => row.getAttribute('aria-selected') === 'true');
  const bulk = () => {
    const bar = $('.tool.bulk'); if (!bar) return;
    const n = picked().length; bar.hidden = !n; $('.tool.norm').hidden = !!n; $('#npick').textContent = n;
    const all = $('#all'); if (all) { all.checked = n > 0 && n === rows().filter(r => $('input', r)).length; all.indeterminate = n > 0 && !all.checked }
  };
  const pick = (row, on) => { const box = row && $('input', row); if (!box) return; row.setAttribute('aria-selected', on); box.checked = on; bulk() };

  /* --- dialogs: the draft stays, the alerts picked are written in when one opens --- */
  const subject = () => {
    const page = $('#alert-page');
    if (page) return page.dataset.open ? [page] : [];
    return picked().length ? picked() : rows().filter(row => row.dataset.id === cursor && $('input', row));
  };
  const open = id => {
    const dialog = document.getElementById(id); if (!dialog || $('dialog[open]')) return;
    const form = $('form', dialog);
    if (form) {
      const on = subject(); if (!on.length) return;
      const detail = $('#alert-page');
      form.elements.back.value = detail ? `/alerts/${detail.dataset.alert}` : ($('#queue-page').dataset.narrow.slice(1));
      $('.picked', form).replaceChildren(...on.map(e => {
        const input = document.createElement('input'); input.type = 'hidden'; input.name = 'alert';
        input.value = `${e.dataset.id || e.dataset.alert}:${e.dataset.version}`; return input;
      }));
      $('.refused', form).replaceChildren();
      for (const e of $$('[data-in]', form)) e.textContent = word('until', minute(now() + e.dataset.in * 60));
      promise(form);
    }
    dialog.showModal();
  };
  const promise = form => { // the button says what will happen
    const chosen = $('input[name=pause]:checked', form), end = chosen && $(`[data-in="${chosen.value}"]`, form);
    if (chosen) $('.btn.pri', form).textContent = end ? word('ack', minute(now() + chosen.value * 60)) : chosen.closest('form').parentElement.querySelector('h2').textContent;
  };

  /* --- new rows wait behind the bar until asked for --- */
  const fresh = new Map();
  const bar = () => {
    const button = $('.live'); if (!button) return;
    button.hidden = !fresh.size;
    const worst = [...fresh.values()].filter(f => f.level === 'critical' || f.level === 'high').length;
    $('.tx', button).textContent = `${word('fresh')}: ${fresh.size}${worst ? ` (▲ ${worst})` : ''}`;
  };
  const rowOf = html => { const holder = document.createElement('tbody'); const t = document.createElement('template'); t.innerHTML = html; holder.append(...t.content.children); return holder.firstElementChild };
  const insert = () => {
    if (!fresh.size) return;
    const body = $('.tbl.qt tbody');
    if (!body) return location.reload(); // the view was empty: there is no table to put them in
    const keep = cursor, focused = document.activeElement?.closest('tr[data-row]');
    for (const item of fresh.values()) {
      const row = rowOf(item.html); row.classList.add('new');
      const after = rows().find(r => +r.dataset.s > +row.dataset.s);
      after ? after.before(row) : body.append(row);
    }
    fresh.clear(); bar(); point(rows().find(r => r.dataset.id === keep) || null); if (focused) focused.focus({ preventScroll: true });
    if (!keep && rows()[0]) rows()[0].tabIndex = 0;
    say(word('shown'));
  };
  const update = (old, item) => { // in place: place, selection and focus stay
    const row = rowOf(item.html), had = document.activeElement === old || old.contains(document.activeElement);
    row.className = old.className; row.tabIndex = old.tabIndex;
    row.classList.toggle('gone', !item.shown);
    const why = $('.why-gone', row); why.hidden = item.shown; why.textContent = item.shown ? '' : word('gone');
    const was = old.getAttribute('aria-selected') === 'true';
    old.replaceWith(row); if (was) pick(row, true); if (had) row.focus({ preventScroll: true }); bulk();
  };
  const changed = data => {
    for (const item of data.rows) {
      const row = document.getElementById(`r-${item.id}`);
      if (row) update(row, item);
      else if (item.shown && $('#queue-page')) fresh.set(item.id, item);
      else fresh.delete(item.id);
      const page = $(`#alert-page[data-alert="${item.id}"]`);
      if (page && +page.dataset.version !== item.version) { $('#news').hidden = false }
    }
    for (const [view, text] of Object.entries(data.counts)) for (const pill of $$(`[data-count="${view}"]`)) pill.textContent = text;
    bar(); if (fresh.size) say(`${word('fresh')}: ${fresh.size}`);
  };

  /* --- the stream: closed while the page is hidden, so that many tabs do not use up the browser's connections --- */
  let stream = null, heard = 0, seq = 0;
  const connect = () => {
    if (stream || !document.body.classList.contains('signed-in')) return;
    const narrow = $('#queue-page') ? $('#queue-page').dataset.narrow.replace('?', '&') : '';
    stream = new EventSource(`/live?seq=${seq}${narrow}`);
    const on = (name, act) => stream.addEventListener(name, event => { heard = Date.now(); if (event.lastEventId) seq = Math.max(seq, +event.lastEventId); act(JSON.parse(event.data)) });
    on('changed', changed);
    on('stale', () => { if ($('#queue-page') && !picked().length && !$('dialog[open]')) location.reload() });
    on('signed-out', () => { location.href = '/login' });
    on('full', () => { });
    on('beat', data => { skew = data.now - Date.now() / 1000; ends = data.ends; const state = $('#state'); if (state) state.innerHTML = data.state; tick() });
    heard = Date.now();
  };
  const disconnect = () => { stream?.close(); stream = null };
  const watchStream = () => {
    const state = $('#live-state'); if (!state || document.hidden) return;
    const lost = Date.now() - heard > 12000;
    if (lost && stream && stream.readyState === EventSource.CLOSED) { disconnect(); connect0() }
    state.classList.toggle('lost', lost);
    if (lost) $('.tx', state).textContent = word('lost', second(heard / 1000 + skew));
  };
  const connect0 = () => { const since = heard; connect(); heard = since }; // still lost until something is heard

  /* --- the session warns two minutes before its end --- */
  let ends = 0, warned = false;
  const watchSession = () => {
    if (!ends) return;
    const left = ends - now();
    if (left > 150) { if (warned) $('[data-stay]')?.closest('.toast').remove(); warned = false }
    if (left < 120 && left > 0 && !warned) { warned = true; $('#toasts').append($('#ending').content.cloneNode(true)) }
    if (left < -2) location.href = '/login';
  };
  const stay = async button => {
    const reply = await fetch('/session', { method: 'POST', body: new URLSearchParams({ csrf: button.dataset.csrf }) });
    if (reply.ok) { ends = (await reply.json()).ends_at; warned = false; button.closest('.toast').remove() }
  };

  /* --- keys: data-act on a button does the same as its key --- */
  let prefix = false;
  const keysOn = () => { try { return localStorage.getItem('canh-keys') !== 'off' } catch { return true } };
  const act = {
    j: () => go(at() + 1), k: () => go(at() - 1), x: () => { const row = rows()[at()]; if (row) pick(row, row.getAttribute('aria-selected') !== 'true') },
    Enter: () => { const row = rows()[at()]; if (row) location.href = row.dataset.href },
    a: () => open('dlg-assign'), c: () => open('dlg-close'), e: () => open('dlg-ack'), '?': () => open('dlg-keys'),
    n: insert, '/': () => $('#q')?.focus(),
    d: () => remember('dense', root.classList.toggle('compact') ? '1' : '0'),
    t: () => remember('theme', root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark'),
    Escape: () => { for (const row of picked()) pick(row, false); $('details.me[open]')?.removeAttribute('open') },
  };
  const visible = name => name !== 'c' && name !== 'e' && name !== 'a' || $(`[data-act="${name}"]`);
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return; // never fight a Vietnamese input method
    if ($('dialog[open]') || event.target.closest('input:not([type=checkbox]),textarea,select')) { if (event.key === 'Escape' && !$('dialog[open]')) event.target.blur(); return }
    if (event.key === 'Enter' && !event.target.matches('tr')) return;
    if (!keysOn() && event.key.length === 1) return;
    if (prefix) { prefix = false; const link = $(`.nav a[data-g="${CSS.escape(event.key)}"]`); if (link) { location.href = link.href; return } }
    if (event.key === 'g') { prefix = true; return }
    if (Object.hasOwn(act, event.key) && visible(event.key)) { event.preventDefault(); act[event.key]() }
  });

  document.addEventListener('click', event => {
    const press = event.target.closest('[data-act],[data-shut],[data-dismiss],[data-stay]');
    if (press?.dataset.act) act[press.dataset.act]();
    else if (press && 'shut' in press.dataset) press.closest('dialog').close();
    else if (press && 'dismiss' in press.dataset) press.closest('.toast').remove();
    else if (press && 'stay' in press.dataset) stay(press);
    const row = event.target.closest('tr[data-row]');
    if (row && !press) { point(row); if (!event.target.closest('a,input,button,td.pick') && !String(getSelection())) location.href = row.dataset.href }
    const menu = $('details.me[open]'); if (menu && !menu.contains(event.target)) menu.removeAttribute('open');
  });
  document.addEventListener('change', event => {
    const field = event.target;
    if (field.id === 'all') for (const row of rows()) pick(row, field.checked);
    else if (field.id === 'keys-on') { try { localStorage.setItem('canh-keys', field.checked ? 'on' : 'off') } catch { } }
    else if (field.name === 'pause') promise(field.form);
    else if (field.closest('tr[data-row]')) pick(field.closest('tr'), field.checked);
  });

  /* --- answers of actions (htmx) --- */
  document.addEventListener('htmx:afterRequest', event => {
    if (event.detail.xhr.status >= 400 || !event.detail.xhr.status || event.detail.requestConfig.verb !== 'post') return;
    const dialog = event.target.closest('dialog'); if (dialog) { $('form', dialog).reset(); dialog.close() } // first, so that focus is back on its row
    const answer = new DOMParser().parseFromString(event.detail.xhr.responseText, 'text/html');
    for (const template of $$('template[data-acted]', answer)) {
      const row = document.getElementById(`r-${template.dataset.acted}`);
      if (row) { pick(row, false); update(row, { html: template.innerHTML, shown: true }) }
    }
    fade();
  });
  document.addEventListener('close', () => { if (document.activeElement === document.body) rows()[at()]?.focus({ preventScroll: true }) }, true); // its row may have been replaced meanwhile
  document.addEventListener('htmx:sendError', () => { const lost = $('#live-state'); if (lost) heard = Math.min(heard, Date.now() - 13000); watchStream() });
  const settle = () => { disconnect(); fresh.clear(); setUp(); connect() };
  const fade = () => { for (const toast of $$('.toast:not(.crit):not([data-fading])')) { toast.dataset.fading = ''; setTimeout(() => toast.remove(), 8000) } };
  const setUp = () => {
    const all = rows(); all.forEach((row, n) => { row.tabIndex = n ? -1 : 0 }); if (cursor) { const row = all.find(r => r.dataset.id === cursor); if (row) point(row) }
    if (innerWidth <= 1100) for (const d of $$('.facets details.all')) d.open = false;
    bulk(); bar();
  };
  document.addEventListener('DOMContentLoaded', () => {
    seq = +document.body.dataset.seq || 0; ends = +document.body.dataset.ends || 0;
    if (document.body.dataset.now) skew = document.body.dataset.now - Date.now() / 1000;
    const box = $('#keys-on'); if (box) box.checked = keysOn();
    document.addEventListener('htmx:afterSettle', event => { if (event.detail.target?.id === 'queue-page' || event.detail.elt?.id === 'queue-page') settle() });
    setUp(); fade(); if (!document.body.classList.contains('signed-in')) return;
    tick(); setInterval(tick, 1000); setInterval(watchStream, 1000);
    if (!document.hidden) connect();
    document.addEventListener('visibilitychange', () => document.hidden ? disconnect() : connect());
    addEventListener('pagehide', disconnect); addEventListener('pageshow', event => { if (event.persisted) location.reload() });
  });
})();
