// Chooses the page's language: the one that `?lang=` (or `lang` behind the #) names, else the first of the browser's languages
// that there is a file for, else English.

const FILES = {
  ar: () => import('./strings.ar.js'),
  en: () => import('./strings.en.js'),
  id: () => import('./strings.id.js'),
  ms: () => import('./strings.ms.js'),
};

const asked = [new URLSearchParams(location.search), new URLSearchParams(location.hash.slice(1))]
  .map((parameters) => parameters.get('lang')).filter(Boolean);
const wanted = [...asked, ...navigator.languages].map((tag) => tag.split('-')[0].toLowerCase()).find((tag) => tag in FILES);
export const { strings, language, direction } = await FILES[wanted ?? 'en']();
