/** What `uplot.js` beside this file is in the browser: the package's module, which dashboard-routes.ts serves there. */
import uPlot from 'uplot';

export default uPlot;
