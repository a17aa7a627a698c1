import { svg } from './elements.js';
import type { Quantizer } from './models.js';

const WIDTH = 560;
const HEIGHT = 400;
const MARGIN = { left: 44, right: 14, top: 14, bottom: 54 };
/** Up to so many codes each gets its grid line and number. */
const FEW = 16;

/** A quantizer by the magnitude of its input: codes 0..s, all else in units of the clip. */
export interface Steps {
  readonly count: number;
  /** Of each code. */
  readonly levels: readonly number[];
  readonly isUniform: boolean;
}

/** Of a symmetric quantizer, whose levels leave one code unused, the upper half. */
export function stepsOf({ bits, levels }: Quantizer): Steps {
  const from = levels.length < 2 ** bits ? levels.length >> 1 : 0;
  const zero = levels[from];
  const upper = levels
    .slice(from)
    .map((level) => (level - zero) / (levels[levels.length - 1] - zero));
  const count = upper.length - 1;
  // Levels are integers: uniform ones are off by the rounding at most.
  const slack = 0.5 / (levels[levels.length - 1] - zero) + 1e-9;
  const isUniform = upper.every((level, code) => Math.abs(level - code / count) <= slack);
  return { count, levels: upper, isUniform };
}

/** The compander, its quantizer and the uniform one of the same clip and bits. */
export function curvePlot(quantizer: Quantizer, title: string): SVGSVGElement {
  const steps = stepsOf(quantizer);
  const { compander } = quantizer;
  const plot = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title });
  plot.append(
    ...axes(steps),
    path('uniform', staircase(uniformThresholds(steps.count), steps.count)),
  );
  if (compander) {
    plot.append(path('quantizer', staircase(compander.thresholds, steps.count)));
    const knots = compander.curve.map((y, k) => [k / (compander.curve.length - 1), y] as const);
    plot.append(path('compander', knots));
  }
  steps.levels.forEach((level, code) => {
    const [cx, cy] = point([level, code / steps.count]);
    plot.append(
      svg('line', { class: 'rug', x1: cx, x2: cx, y1: point([0, 0])[1], y2: point([0, 0])[1] + 7 }),
    );
    if (steps.count <= 2 * FEW) plot.append(svg('circle', { class: 'level', cx, cy, r: 4.5 }));
  });
  return plot;
}

type Point = readonly [number, number];

/** From shares of both axes to the picture's units. */
function point([x, y]: Point): Point {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  return [MARGIN.left + x * (right - MARGIN.left), bottom - y * (bottom - MARGIN.top)];
}

function path(name: string, points: readonly Point[]): SVGElement {
  const corners = points.map((corner) =>
    point(corner)
      .map((v) => v.toFixed(2))
      .join(' '),
  );
  return svg('path', { class: name, d: `M${corners.join('L')}` });
}

const uniformThresholds = (count: number) =>
  Array.from({ length: count }, (_, below) => (below + 0.5) / count);

/** The code at each threshold: along, then up. */
function staircase(thresholds: readonly number[], count: number): Point[] {
  const corners = thresholds.flatMap((x, code): Point[] => [
    [x, code / count],
    [x, (code + 1) / count],
  ]);
  return [[0, 0], ...corners, [1, 1]];
}

function axes({ count }: Steps): SVGElement[] {
  const stride = count <= FEW ? 1 : Math.ceil(count / 8);
  const codes = Array.from({ length: Math.floor(count / stride) + 1 }, (_, i) => i * stride);
  const rows = codes.flatMap((code) => {
    const [x1, y] = point([0, code / count]);
    const [x2] = point([1, 0]);
    return [
      svg('line', { class: 'grid', x1, x2, y1: y, y2: y }),
      svg('text', { class: 'tick', x: x1 - 8, y: y + 4, 'text-anchor': 'end' }, String(code)),
    ];
  });
  const columns = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const [x, y] = point([share, 0]);
    return svg('text', { class: 'tick', x, y: y + 24, 'text-anchor': 'middle' }, String(share));
  });
  const [left, top] = point([0, 1]);
  const [right, bottom] = point([1, 0]);
  const middle = { x: (left + right) / 2, y: bottom + 47, 'text-anchor': 'middle' };
  const upright = {
    x: 14,
    y: (top + bottom) / 2,
    'text-anchor': 'middle',
    transform: `rotate(-90 14 ${(top + bottom) / 2})`,
  };
  return [
    ...rows,
    ...columns,
    svg('text', { class: 'axis', ...middle }, 'magnitude, in units of the clip'),
    svg('text', { class: 'axis', ...upright }, 'code'),
  ];
}
