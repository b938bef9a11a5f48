// What the page's address says. Everything is in the fragment, which browsers send to no server and no log.
// `?lang=` chooses the language (strings.js). `#room=NAME&token=JWT[&name=…][&relay=1][&autojoin=1][&slots=N][&simulcast=0][&e2ee=PASSPHRASE][&ladder=720][&red=1]`
// The page of calls: `dial.html#token=JWT[&contacts=USER,USER…][&relay=1][&waiting=0][&simulcast=0]`.

/** The link's parameters; what is read from the token is for display only, the server checks it. */
export function readLink() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const token = parameters.get('token') ?? '';
  const claims = claimsOf(token);
  const slots = Number.parseInt(parameters.get('slots') ?? '', 10);
  return {
    token,
    user: claims.sub ?? '',
    calls: claims.calls === true,
    contacts: (parameters.get('contacts') ?? '').split(',').map((user) => user.trim()).filter(Boolean),
    callWaiting: parameters.get('waiting') !== '0',
    role: claims.canModerate ? 'host' : claims.role ?? null,
    room: parameters.get('room') ?? (claims.room !== '*' && claims.room) ?? '',
    name: parameters.get('name') ?? '',
    displayName: parameters.get('name') || claims.name || claims.sub || '',
    relay: parameters.get('relay') === '1',
    autojoin: parameters.get('autojoin') === '1',
    passphrase: parameters.get('e2ee') || null,
    ladder: parameters.get('ladder') ?? '1080',
    redundantAudio: parameters.get('red') === '1',
    simulcast: parameters.get('simulcast') !== '0',
    slots: Number.isInteger(slots) ? Math.min(Math.max(slots, 0), 24) : 8,
  };
}

/** The server's WebSocket, beside the page. */
export function signallingURL() {
  const url = new URL('v1/ws', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  url.search = '';
  return url.href;
}

/** This tab's device name: a reload is the same device and replaces itself, another tab is another one. */
export function deviceName() {
  const key = 'majlis.device';
  try {
    let name = sessionStorage.getItem(key);
    if (!name) {
      name = `tab-${randomID()}`;
      sessionStorage.setItem(key, name);
    }
    return name;
  } catch {
    return `tab-${randomID()}`;
  }
}

// Not crypto.randomUUID: a page on a plain http address does not have it.
function randomID() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function claimsOf(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.codePointAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}
