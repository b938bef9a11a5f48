// Chooses the page's language: the first of the browser's languages that there is a file for, else English.

const FILES = { en: () => import('./strings.en.js') };

const wanted = navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => tag in FILES) ?? 'en';
export const { strings, language, direction } = await FILES[wanted]();
