/** What `uplot.js` beside this file is in the browser: the package's module, which dashboard-routes.ts serves there. */
export { default } from 'uplot';
