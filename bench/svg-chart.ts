/**
 * Plots as SVG text: this file is all that is drawn here. The chart libraries of the registry need a browser's document
 * or bring tens of megabytes.
 */

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly y: string;
  readonly x: string;
  readonly series: readonly Series[];
  /** Draws the points of a series joined; else each is a sample, and x is the number of its contender. */
  readonly kind: "lines" | "samples";
}

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 80;
const RIGHT = 200;
const TOP = 36;
const BOTTOM = 44;
const COLORS = ["#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#787774", "#cb912f", "#d44c47"];

/** The charts below each other; both axes are logarithmic, samples have no x axis. */
export function drawCharts(charts: readonly Chart[]): string {
  const height = HEIGHT * charts.length;
  const drawn = charts.map((chart, index) => `<g transform="translate(0 ${index * HEIGHT})">${drawChart(chart)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${drawn.join("\n")}
</svg>
`;
}

function drawChart(chart: Chart): string {
  const points = chart.series.flatMap((one) => one.points);
  const yAxis = logAxis(
    points.map(([, y]) => y),
    [HEIGHT - BOTTOM, TOP],
  );
  const xAxis =
    chart.kind === "lines"
      ? logAxis(
          points.map(([x]) => x),
          [LEFT + 12, WIDTH - RIGHT - 12],
        )
      : undefined;
  return [
    `<g font-weight="bold">${text(LEFT, 20, chart.title)}</g>`,
    text(LEFT, HEIGHT - 8, chart.x),
    ...yAxis.ticks.map((tick) => {
      const y = yAxis.at(tick);
      return `<path d="M${LEFT} ${y}H${WIDTH - RIGHT}" stroke="#e3e2e0"/>${text(LEFT - 6, y + 4, tickLabel(tick), "end")}`;
    }),
    text(8, TOP - 16, chart.y),
    ...(xAxis?.ticks.map((tick) => text(xAxis.at(tick), HEIGHT - BOTTOM + 18, tickLabel(tick), "middle")) ?? []),
    ...chart.series.map((series, index) => {
      const place = { index, of: chart.series.length };
      return drawSeries(series, place, { x: xAxis?.at, y: yAxis.at });
    }),
  ].join("\n");
}

interface Axes {
  readonly x: ((value: number) => number) | undefined;
  readonly y: (value: number) => number;
}

function drawSeries({ name, points }: Series, { index, of }: { index: number; of: number }, axes: Axes): string {
  const color = COLORS[index % COLORS.length]!;
  const legend = `<circle cx="${WIDTH - RIGHT + 16}" cy="${TOP + 8 + index * 20}" r="5" fill="${color}"/>${text(WIDTH - RIGHT + 28, TOP + 12 + index * 20, name)}`;
  const column = LEFT + ((index + 0.5) / of) * (WIDTH - LEFT - RIGHT);
  // Samples of one contender side by side, so that equal ones are seen.
  const scattered = (nth: number) => column + ((nth % 9) - 4) * 3;
  const at = points.map(([x, y], nth) => [axes.x?.(x) ?? scattered(nth), axes.y(y)] as const);
  const line = axes.x === undefined ? "" : `<polyline points="${at.join(" ")}" fill="none" stroke="${color}"/>`;
  return `${legend}${line}${at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${color}" fill-opacity="0.7"/>`).join("")}`;
}

/** From values to pixels, with a tick at each 1, 2 and 5 of a power of ten; it ends at ticks, so that there are two. */
function logAxis(values: readonly number[], [from, to]: readonly [number, number]) {
  const positive = values.filter((value) => value > 0);
  const [least, most] = [Math.min(...positive), Math.max(...positive)];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(least)) - 1; 10 ** power <= most * 10; power++)
    all.push(...[1, 2, 5].map((digit) => digit * 10 ** power));
  const low = all.findLast((tick) => tick < least) ?? least;
  const high = all.find((tick) => tick > most) ?? most;
  const at = (value: number) =>
    Number((from + ((Math.log(Math.max(value, low)) - Math.log(low)) / Math.log(high / low)) * (to - from)).toFixed(1));
  const ticks = all.filter((tick) => tick >= low && tick <= high);
  return { at, ticks: ticks.length > 8 ? ticks.filter((tick) => Number.isInteger(Math.log10(tick))) : ticks };
}

function tickLabel(value: number): string {
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end" = "start"): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped}</text>`;
}
