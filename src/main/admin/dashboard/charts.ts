/**
 * Owns the charts: a few series of the last minutes each, and a legend that shows the newest values, or those under the
 * pointer. Browser.
 */
import { byId, make, mark, setText } from './element.js';
import { timeOfDay } from './format.js';
import { onThemeChange } from './theme.js';
import { Timeline, type Values, WINDOW_SECONDS } from './timeline.js';
import uPlot from './uplot.js';

const HEIGHT_PX = 148;
/** Wide enough for every label, so that the plot never moves. */
const Y_AXIS_PX = 62;
const FONT = '11px system-ui, sans-serif';

export interface Series {
  readonly label: string;
  /** The custom property of the style sheet that has its colour. */
  readonly color: `--${string}`;
  readonly text: (value: number | null) => string;
  /** A limit, not a reading: a dashed line, and no value in the legend. */
  readonly dashed?: true;
}

export interface ChartOptions {
  /** Of the page's element. */
  readonly id: string;
  /** What the axis reaches at least: a quiet node must not look busy. */
  readonly topMin: number;
  /** The axis' labels are multiples of powers of 1024. */
  readonly binary?: true;
  readonly axisText: (value: number) => string;
  readonly series: readonly Series[];
}

export class Chart {
  readonly #options: ChartOptions;
  readonly #figure: HTMLElement;
  readonly #timeline: Timeline;
  readonly #plot: uPlot;
  readonly #legend: readonly HTMLElement[];
  readonly #when = make('span', 'when');
  /** Colours as the canvas wants them, by custom property. */
  #colors = new Map<string, string>();

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#figure = byId(options.id, HTMLElement);
    this.#timeline = new Timeline(options.series.length);
    this.#legend = this.#makeLegend();
    this.#plot = new uPlot(this.#plotOptions(), [[], ...options.series.map(() => [])], this.#canvasPlace());
    onThemeChange(() => {
      this.#colors = new Map();
      this.#plot.redraw(false);
    });
  }

  /** @param timeSeconds since 1970. Null stands for what is not known and leaves a hole. */
  push(timeSeconds: number, values: Values): void {
    this.#timeline.push(timeSeconds, values);
    this.#plot.setData(this.#timeline.columns);
    this.#showLegend();
  }

  #makeLegend(): HTMLElement[] {
    const legend = make('p', 'legend');
    const values = this.#options.series.map(({ label, color, dashed }) => {
      const entry = make('span', 'entry');
      const swatch = make('span', 'swatch');
      mark(swatch, 'color', color.slice(2));
      const value = make('span', 'value', '–');
      entry.append(swatch, `${label} `);
      if (dashed === undefined) entry.append(value);
      legend.append(entry);
      return value;
    });
    legend.append(this.#when);
    this.#figure.append(legend);
    return values;
  }

  #canvasPlace(): HTMLElement {
    const place = make('div', 'plot');
    place.role = 'img';
    const names = this.#options.series.map(({ label }) => label).join(' and ');
    place.ariaLabel = `Chart of ${names}, the last ${WINDOW_SECONDS / 60} minutes`;
    this.#figure.append(place);
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width);
      if (width > 0) this.#plot.setSize({ width, height: HEIGHT_PX });
    }).observe(place);
    return place;
  }

  #showLegend(): void {
    const [times, ...columns] = this.#timeline.columns;
    const pointed = this.#plot.cursor.idx ?? null;
    const index = pointed ?? times.length - 1;
    this.#options.series.forEach(({ text }, at) => {
      setText(this.#legend[at]!, text(columns[at]?.[index] ?? null));
    });
    const time = times[index];
    setText(this.#when, pointed === null || time === undefined ? '' : `at ${timeOfDay(time * 1000)}`);
  }

  #color(property: string): string {
    let color = this.#colors.get(property);
    if (color === undefined) {
      // A property may hold light-dark(); only what is used as a colour is resolved.
      const probe = make('span');
      probe.style.color = `var(${property})`;
      this.#figure.append(probe);
      color = getComputedStyle(probe).color;
      probe.remove();
      this.#colors.set(property, color);
    }
    return color;
  }

  #plotOptions(): uPlot.Options {
    const { series, axisText, topMin, binary } = this.#options;
    const grid = { stroke: () => this.#color('--grid'), width: 1 };
    const axis = { stroke: () => this.#color('--muted'), font: FONT, grid, ticks: { show: false } };
    return {
      width: 320,
      height: HEIGHT_PX,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: {
          time: true,
          range: (_plot, _least, most: number | null) => {
            const end = most ?? Date.now() / 1000;
            return [end - WINDOW_SECONDS, end];
          },
        },
        y: { range: (_plot, _least, most: number | null) => [0, Math.max(topMin, (most ?? 0) * 1.08)] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          gap: 4,
          space: 44,
          values: (_plot, ticks) => ticks.map((at) => timeOfDay(at * 1000, false)),
        },
        {
          ...axis,
          size: Y_AXIS_PX,
          space: 32,
          ...(binary === undefined ? {} : { incrs: binarySteps }),
          values: (_plot, ticks) => ticks.map((at) => (at === 0 ? '0' : axisText(at).replace(/\.0\b/, ''))),
        },
      ],
      series: [
        {},
        ...series.map(({ label, color, dashed }) => ({
          label,
          stroke: () => this.#color(color),
          width: 1.5,
          ...(dashed === undefined ? {} : { dash: [4, 4] }),
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [() => this.#showLegend()] },
    };
  }
}

/** 1, 2, 4 … up to an exbibyte. */
const binarySteps = Array.from({ length: 61 }, (_, power) => 2 ** power);
