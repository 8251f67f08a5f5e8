/** Reads the Grafana dashboard: which queries its panels and variables make. */

interface Target {
  readonly expr: string;
  readonly legendFormat?: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
}

/** A query as Prometheus gets it, with every variable at "All". */
export function asSent(query: string): string {
  return query.replaceAll('$__rate_interval', '5m').replace(/\$(node|instance)\b/g, '.*');
}

/** Labels that a legend shows. */
export function legendLabels(legend = ''): string[] {
  return [...legend.matchAll(/\{\{(.*?)\}\}/g)].map((match) => match[1]);
}

/** The parts of `label_values(series, label)`. */
export function labelValues(definition: string): { series: string; label: string } {
  const match = /^label_values\((.+), (\w+)\)$/.exec(definition);
  if (match === null) throw new Error(`no label_values: ${definition}`);
  return { series: asSent(match[1]), label: match[2] };
}
